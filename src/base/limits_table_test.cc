#include "base/limits_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/file.h"

namespace herd {
namespace {

TEST(LimitsTable, ListsEveryLimitInOrder) {
  const auto text = read_file(fs::path(HERD_ROOT) / "src/base/limits.h", 1 << 20);
  ASSERT_TRUE(text.has_value()) << to_string(text.error());
  constexpr std::string_view constant = "constexpr std::uint64_t ";
  std::vector<std::string> declared, listed;
  for (std::size_t at = text->find(constant); at != std::string::npos;
       at = text->find(constant, at)) {
    at += constant.size();
    declared.push_back(text->substr(at, text->find(' ', at) - at));
  }
  for (const LimitRow& row : limit_rows()) {
    listed.emplace_back(row.name);
    EXPECT_GT(row.value, 0u) << row.name;
    EXPECT_FALSE(row.sentence.empty()) << row.name;
  }
  EXPECT_EQ(listed, declared) << "a limit of base/limits.h needs a row in base/limits_table.cc";
  EXPECT_GE(declared.size(), 26u);
}

}  // namespace
}  // namespace herd
