# What `cmake --install` puts where, and what finds it there: CMake's find_package(wattle) and pkg-config. All of it may be moved as a whole.
# Components, which are also the Debian packages: library (libwattle.so), program, dev (headers, libwattle.a, …).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(WATTLE_INSTALL_CMAKE ${CMAKE_INSTALL_LIBDIR}/cmake/wattle)

install(TARGETS wattle RUNTIME COMPONENT program)
install(TARGETS wattle_shared EXPORT wattleShared
  LIBRARY COMPONENT library NAMELINK_COMPONENT dev INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS wattle_library EXPORT wattleStatic
  ARCHIVE COMPONENT dev INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY runtime/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.hh" PATTERN "*.h")

# CMake package. Two sets of targets: the static library is there where its dependencies are.
install(EXPORT wattleShared NAMESPACE wattle:: DESTINATION ${WATTLE_INSTALL_CMAKE} COMPONENT dev)
install(EXPORT wattleStatic NAMESPACE wattle:: DESTINATION ${WATTLE_INSTALL_CMAKE} COMPONENT dev)
configure_package_config_file(cmake/wattleConfig.cmake.in ${CMAKE_BINARY_DIR}/install/wattleConfig.cmake
  INSTALL_DESTINATION ${WATTLE_INSTALL_CMAKE} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/install/wattleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/install/wattleConfig.cmake ${CMAKE_BINARY_DIR}/install/wattleConfigVersion.cmake
  DESTINATION ${WATTLE_INSTALL_CMAKE} COMPONENT dev)

# pkg-config: the prefix is where the file lies.
file(RELATIVE_PATH WATTLE_UP /root/${CMAKE_INSTALL_LIBDIR}/pkgconfig /root)
string(REGEX REPLACE "/$" "" WATTLE_UP "${WATTLE_UP}")
foreach(file wattle.pc wattle-static.pc)
  configure_file(cmake/${file}.in ${CMAKE_BINARY_DIR}/install/${file} @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/install/${file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
endforeach()
