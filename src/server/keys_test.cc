#include "server/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "base/json.h"
#include "base/limits.h"

namespace herd::server {
namespace {

class KeysTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "herd_keys_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  [[nodiscard]] fs::path path() const { return directory_ / "deep/keys.json"; }
  std::unique_ptr<Keys> open() { return std::move(Keys::open(path()).value()); }

  fs::path directory_;
};

TEST_F(KeysTest, AKeyIsShownOnceAndKeptAsAHash) {
  const auto keys = open();
  EXPECT_FALSE(keys->required());
  const std::string key = keys->add("ada", {"infer"}, 0).value();
  EXPECT_EQ(key.size(), 76u);  // hk_, 8 digits, _, 64 digits: 256 bits
  EXPECT_TRUE(keys->required());
  const std::string file = read_file(path(), 1 << 20).value();
  EXPECT_FALSE(file.contains(key.substr(12)));
  struct stat found{};
  ASSERT_EQ(::stat(path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  EXPECT_NE(keys->add("bob", {"infer"}, 0).value(), key);
  const auto again = open();
  EXPECT_EQ(again->list().size(), 2u);
  EXPECT_TRUE(again->check(key, Scope::infer).valid);
}

TEST_F(KeysTest, ChecksSecretScopeExpiryAndRevocation) {
  const auto keys = open();
  const std::string key = keys->add("ada", {"infer"}, 0).value();
  const std::string admin = keys->add("root", {"admin"}, 0).value();
  const std::string old = keys->add("old", {"infer"}, 1).value();
  EXPECT_TRUE(keys->check(key, Scope::infer).may);
  EXPECT_FALSE(keys->check(key, Scope::admin).may);
  EXPECT_TRUE(keys->check(key, Scope::admin).valid);
  EXPECT_TRUE(keys->check(admin, Scope::infer).may);
  EXPECT_TRUE(keys->check(old, Scope::infer).expired);
  for (const std::size_t changed : {5u, 12u, 75u}) {  // its id, the secret's first and last digit
    std::string wrong = key;
    wrong[changed] = wrong[changed] == '0' ? '1' : '0';
    EXPECT_FALSE(keys->check(wrong, Scope::infer).valid) << changed;
  }
  for (const std::string& wrong : {std::string(), std::string("hk_"), key + "0", key.substr(1)})
    EXPECT_FALSE(keys->check(wrong, Scope::infer).valid);
  EXPECT_TRUE(keys->still_valid(key.substr(3, 8)));
  ASSERT_TRUE(keys->revoke(key.substr(3, 8)).has_value());
  EXPECT_FALSE(keys->check(key, Scope::infer).valid);
  EXPECT_FALSE(keys->check(key, Scope::infer).expired);
  EXPECT_FALSE(keys->still_valid(key.substr(3, 8)));
  EXPECT_EQ(keys->revoke("00000000").error().code, Code::missing_input);
  EXPECT_EQ(keys->add("x", {"everything"}, 0).error().code, Code::out_of_range);
}

// A server sees what another process changes, within a second; the last key's end opens nothing.
TEST_F(KeysTest, ASecondReaderSeesARevocation) {
  const auto writer = open();
  const std::string key = writer->add("ada", {"infer"}, 0).value();
  const auto reader = open();
  EXPECT_TRUE(reader->check(key, Scope::infer).valid);
  ASSERT_TRUE(writer->revoke(key.substr(3, 8)).has_value());
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_FALSE(reader->check(key, Scope::infer).valid);
  EXPECT_TRUE(reader->required());
  fs::remove(path());
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(reader->required());
}

// C46.
TEST_F(KeysTest, RefusesFilesThatOthersMayReadOrThatAreNone) {
  ASSERT_TRUE(open()->add("ada", {"infer"}, 0).has_value());
  ::chmod(path().c_str(), 0644);
  const auto loose = Keys::open(path());
  ASSERT_FALSE(loose.has_value());
  EXPECT_EQ(loose.error().code, Code::refused);
  EXPECT_TRUE(loose.error().hint.contains("chmod 600"));
  ::chmod(path().c_str(), 0600);
  for (const char* text : {"", "{}", "{\"keys\": [{\"id\": \"x\"}]}", "{\"keys\": 1}"}) {
    ASSERT_TRUE(write_file(path(), std::string_view(text)).has_value());
    ::chmod(path().c_str(), 0600);
    EXPECT_FALSE(Keys::open(path()).has_value()) << text;
  }
}

TEST_F(KeysTest, HoldsAsManyAsItMay) {
  json::array rows;
  for (std::uint64_t i = 0; i < limits::api_keys_max - 1; ++i)
    rows.push_back({{"id", fmt::format("{:08x}", i)}, {"sha256", std::string(64, 'a')}});
  fs::create_directories(path().parent_path());
  ASSERT_TRUE(write_file(path(), std::string_view(json::serialize(json::object{{"keys", rows}})))
                  .has_value());
  ::chmod(path().c_str(), 0600);
  const auto keys = open();
  EXPECT_TRUE(keys->add("last", {"infer"}, 0).has_value());
  EXPECT_EQ(keys->add("one too many", {"infer"}, 0).error().code, Code::out_of_range);
}

}  // namespace
}  // namespace herd::server
