# The library in both forms, from the same objects, which are position independent and hide everything but WATTLE_API.
#   wattle_library   libwattle.a;  installed as wattle::static
#   wattle_shared    libwattle.so; installed as wattle::wattle
# In the tree wattle_library also gives access to the rooms' own headers. wattle_shared gives the public ones only.
set(objects $<TARGET_OBJECTS:wattle_frontend> $<TARGET_OBJECTS:wattle_sandbox> $<TARGET_OBJECTS:wattle_runtime>
  $<TARGET_OBJECTS:wattle_wasi> $<TARGET_OBJECTS:wattle_capi> $<TARGET_OBJECTS:wattle_fmt_objects>)
set(public_headers $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/runtime/include>)
# While the major version is 0, each minor version has its own binary interface.
set(WATTLE_SOVERSION ${PROJECT_VERSION_MAJOR})
if(WATTLE_SOVERSION EQUAL 0)
  set(WATTLE_SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endif()

add_library(wattle_library STATIC ${objects})
set_target_properties(wattle_library PROPERTIES OUTPUT_NAME wattle EXPORT_NAME static LINKER_LANGUAGE CXX)
target_link_libraries(wattle_library PUBLIC $<BUILD_INTERFACE:wattle_options> $<BUILD_INTERFACE:wattle_uv>
  $<BUILD_INTERFACE:wattle_xxhash>)
# Defined by wattleConfig.cmake.
target_link_libraries(wattle_library INTERFACE $<INSTALL_INTERFACE:wattle::dependencies>)

add_library(wattle_shared SHARED ${objects})
add_library(wattle::wattle ALIAS wattle_shared)
set_target_properties(wattle_shared PROPERTIES OUTPUT_NAME wattle EXPORT_NAME wattle LINKER_LANGUAGE CXX
  SOVERSION ${WATTLE_SOVERSION} VERSION ${PROJECT_VERSION})
# With the packages' shared libraries: Debian's static libuv is not position independent.
foreach(package uv xxhash)
  find_library(WATTLE_SHARED_${package} NAMES lib${package}.so ${package} REQUIRED)
  mark_as_advanced(WATTLE_SHARED_${package})
  target_link_libraries(wattle_shared PRIVATE ${WATTLE_SHARED_${package}})
endforeach()
target_link_libraries(wattle_shared PRIVATE $<BUILD_INTERFACE:wattle_options> Threads::Threads ${CMAKE_DL_LIBS})
target_link_options(wattle_shared PRIVATE -Wl,--exclude-libs,ALL)
if(NOT WATTLE_SANITIZE)  # clang's sanitizers leave symbols to the program
  target_link_options(wattle_shared PRIVATE -Wl,--no-undefined)
endif()

foreach(target wattle_library wattle_shared)
  target_include_directories(${target} INTERFACE ${public_headers})
  target_compile_features(${target} INTERFACE cxx_std_23)
endforeach()
