# AArch64 from another Debian machine, tests under QEMU: tools/setup.sh --arm installs what this names. Debian keeps the
# libraries of several architectures side by side, so there is no root of its own.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# "max" has all that QEMU knows, the dot product and i8mm among it.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu max)
# Only what is the same everywhere, and AArch64's own.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
