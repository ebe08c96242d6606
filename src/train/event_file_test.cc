#include "train/event_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace herd::train {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

// Literals: the same record and message as the `tensorboard` package 2.21 writes them (RecordWriter, event_pb2).
TEST(EventRecord, IsFramedAsTensorBoardFramesIt) {
  EXPECT_EQ(hex(event_record("abc")), "0300000000000000b099490e6162636e57f121");
}

TEST(EventOf, IsTheMessageThatTensorBoardWrites) {
  const std::vector<Scalar> scalars{{"loss/train", 2.5}, {"rate", 0.001}};
  const std::string event = event_of(1700000000.25, 300, scalars);
  EXPECT_EQ(hex(event),
            "0900001040fc54d94110ac022a200a110a0a6c6f73732f747261696e15000020400a0b0a0472617465156f"
            "12833a");
}

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

TEST(EventFile, EachRunIsAFileAfterTheLast) {
  const fs::path directory = fs::path(::testing::TempDir()) / "events";
  fs::remove_all(directory);
  fs::create_directories(directory);
  for (const std::int64_t step : {0, 7, 9}) {
    auto file = EventFile::open(directory, step);
    ASSERT_TRUE(file) << to_string(file.error());
    ASSERT_TRUE(file->add({.step = step + 1, .loss = 3, .seconds = 1, .step_tokens = 5}));
  }
  const std::vector<fs::path> files = files_in(directory);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_TRUE(files[0].filename().string().starts_with("events.out.tfevents."));
  const std::string first = read_file(files[0], 1 << 20).value();
  const std::string second = read_file(files[1], 1 << 20).value();
  EXPECT_NE(first.find("brain.Event:2"), std::string::npos);
  EXPECT_NE(first.find("loss/train"), std::string::npos);
  EXPECT_EQ(first.find("loss/held_out"), std::string::npos) << "only where it is known";
  // The session log's start (field 7, a message of 2 bytes: field 1 is 1), at the first new step: also where a training
  // begins anew in a directory that a lost one has left events in.
  EXPECT_NE(first.find("\x10\x01\x3a\x02\x08\x01"), std::string::npos);
  EXPECT_NE(second.find("\x10\x08\x3a\x02\x08\x01"), std::string::npos);
}

TEST(EventFile, SaysWhereItCannotWrite) {
  const auto file = EventFile::open(fs::path(::testing::TempDir()) / "nowhere" / "deep", 0);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::cannot_create);
}

}  // namespace
}  // namespace herd::train
