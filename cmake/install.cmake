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

# Completions and manual pages, which the program writes itself, so that they are of its options.
set(documents ${CMAKE_BINARY_DIR}/install/documents)
add_custom_command(OUTPUT ${documents}/stamp DEPENDS wattle VERBATIM COMMENT "Writing completions and manual pages"
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${documents}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${documents}/man
  COMMAND wattle completions bash > ${documents}/wattle
  COMMAND wattle completions zsh > ${documents}/_wattle
  COMMAND wattle completions fish > ${documents}/wattle.fish
  COMMAND wattle manual --all ${documents}/man
  COMMAND gzip -9nr ${documents}/man
  COMMAND ${CMAKE_COMMAND} -E touch ${documents}/stamp)
add_custom_target(wattle_documents ALL DEPENDS ${documents}/stamp)
install(DIRECTORY ${documents}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
install(FILES ${documents}/wattle DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
# zsh looks for those of packages elsewhere than for those that the administrator added.
install(CODE "
  set(folder site-functions)
  if(CMAKE_INSTALL_PREFIX STREQUAL /usr)
    set(folder vendor-completions)
  endif()
  file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${folder}\" TYPE FILE FILES \"${documents}/_wattle\")"
  COMPONENT program)
install(FILES ${documents}/wattle.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT program)

include(cmake/packages.cmake)
