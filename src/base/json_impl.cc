// The one translation unit that compiles Boost.JSON itself: its header-only form keeps the binary free of one more
// shared library and lets the hardening flags reach it.
#include <boost/json/src.hpp>
