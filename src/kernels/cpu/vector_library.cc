#include "kernels/cpu/vector_library.h"

#include <fmt/format.h>
#include <hwy/highway.h>

#include <string>

namespace herd::cpu {

std::string_view vector_library() {
  static const std::string name = fmt::format("Highway {}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH);
  return name;
}

}  // namespace herd::cpu
