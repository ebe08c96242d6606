#include "server/fingerprint.h"

#include <gtest/gtest.h>

#include "base/testing/temporary_directory.h"

namespace herd::server {
namespace {

struct Fingerprint : testing::Test {
  Fingerprint() {
    fs::create_directory(directory / "model");
    fs::create_directory(directory / "adapter");
    write("model/weights", std::string(3'000'000, 'w'));
    write("adapter/adapter_model", std::string(1000, 'a'));
  }
  void write(const fs::path& name, const std::string& bytes) const {
    ASSERT_TRUE(write_file(directory / name, std::string_view(bytes)));
  }
  [[nodiscard]] std::string of(std::vector<fs::path> parts, std::string_view version = "1") const {
    for (fs::path& part : parts)
      if (!part.empty()) part = directory / part;
    return fingerprint(parts, version, "cpu");
  }
  TemporaryDirectory directory;
};

TEST_F(Fingerprint, NamesAllThatTheModelIsMadeOf) {
  const std::string base = of({"model"});
  EXPECT_EQ(base.size(), 19u);
  EXPECT_EQ(of({"model", ""}), base);
  EXPECT_NE(of({"model", "adapter"}), base);
  EXPECT_NE(of({"model"}, "2"), base);
  const std::string with = of({"model", "adapter"});
  write("adapter/adapter_model", std::string(1000, 'b'));
  EXPECT_NE(of({"model", "adapter"}), with);
}

TEST_F(Fingerprint, SeesWhatDiffersInTheMiddle) {
  const std::string before = of({"model"});
  std::string changed(3'000'000, 'w');
  std::fill_n(changed.begin() + 1'400'000, 60'000, 'x');
  write("model/weights", changed);
  EXPECT_NE(of({"model"}), before);
}

TEST_F(Fingerprint, AFileOfGgufStandsForThoseBesideIt) {
  write("model/a-00001-of-00002.gguf", "one");
  write("model/a-00002-of-00002.gguf", "two");
  const std::string before = of({"model/a-00001-of-00002.gguf"});
  write("model/a-00002-of-00002.gguf", "too");
  EXPECT_NE(of({"model/a-00001-of-00002.gguf"}), before);
}

TEST_F(Fingerprint, OnDiskTheFilesTimesCount) {
  const std::vector<fs::path> parts{directory / "model"};
  const std::string before = disk_identity(parts, "1", "cpu");
  EXPECT_EQ(disk_identity(parts, "1", "cpu"), before);
  const fs::path file = directory / "model/weights";
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(7));
  EXPECT_NE(disk_identity(parts, "1", "cpu"), before);
  EXPECT_EQ(fingerprint(parts, "1", "cpu"), of({"model"}));
}

}  // namespace
}  // namespace herd::server
