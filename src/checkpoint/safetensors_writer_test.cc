#include "checkpoint/safetensors_writer.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "checkpoint/safetensors.h"
#include "checkpoint/store.h"

namespace herd::checkpoint {
namespace {

class SafetensorsWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "herd_writer_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
  }
  void TearDown() override { fs::remove_all(directory); }
  fs::path directory;
};

std::vector<std::byte> counted(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
  return bytes;
}

const std::vector<PlannedTensor> three{
    {"b", DType::bf16, {2, 3}}, {"a", DType::f32, {5}}, {"empty", DType::f16, {0, 4}}};

TEST_F(SafetensorsWriterTest, WritesWhatTheReaderReads) {
  const fs::path path = directory / "model.safetensors";
  const std::vector<std::byte> bytes = counted(12 + 20);
  {
    auto writer = SafetensorsWriter::create(path, three);
    ASSERT_TRUE(writer.has_value()) << to_string(writer.error());
    // In pieces that respect no tensor's border.
    for (std::size_t at = 0; at < bytes.size(); at += 5) {
      const auto piece = std::span(bytes).subspan(at, std::min<std::size_t>(5, bytes.size() - at));
      ASSERT_TRUE(writer->write(piece).has_value());
    }
    ASSERT_TRUE(writer->finish().has_value());
  }
  const auto file = Safetensors::open(path);
  ASSERT_TRUE(file.has_value()) << to_string(file.error());
  EXPECT_EQ(file->header().data_begin % 64, 0u);
  ASSERT_EQ(file->header().metadata.size(), 1u);
  EXPECT_EQ(file->header().metadata[0].second, "pt");
  ASSERT_EQ(file->tensors().size(), 3u);
  const auto* a = file->find("a");
  const auto* b = file->find("b");
  ASSERT_TRUE(a != nullptr && b != nullptr);
  EXPECT_EQ(b->shape, Shape({2, 3}));
  EXPECT_EQ(b->dtype, DType::bf16);
  EXPECT_TRUE(std::ranges::equal(file->bytes(*b), std::span(bytes).first(12)));
  EXPECT_TRUE(std::ranges::equal(file->bytes(*a), std::span(bytes).subspan(12)));
}

TEST_F(SafetensorsWriterTest, LeavesNothingBehindWhenItIsNotFinished) {
  const fs::path path = directory / "model.safetensors";
  {
    auto writer = SafetensorsWriter::create(path, three);
    ASSERT_TRUE(writer.has_value());
    ASSERT_TRUE(writer->write(counted(7)).has_value());
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_TRUE(fs::is_empty(directory));
}

TEST_F(SafetensorsWriterTest, NeverOverwrites) {
  const fs::path path = directory / "model.safetensors";
  ASSERT_TRUE(write_file(path, std::string_view("precious")).has_value());
  const auto writer = SafetensorsWriter::create(path, three);
  ASSERT_FALSE(writer.has_value());
  EXPECT_EQ(writer.error().code, Code::cannot_create);
  EXPECT_EQ(fs::file_size(path), 8u);
}

TEST_F(SafetensorsWriterTest, SpreadsTensorsOverShardsThatTheStoreAccepts) {
  const std::vector<PlannedTensor> tensors{{"a", DType::f32, {4}},
                                           {"b", DType::f32, {4}},
                                           {"large", DType::f32, {100}},
                                           {"c", DType::f32, {1}},
                                           {"d", DType::f32, {7}}};
  const auto begins = split_into_shards(tensors, 32);
  ASSERT_EQ(begins, (std::vector<std::size_t>{0, 2, 3}));
  for (std::size_t shard = 0; shard < begins.size(); ++shard) {
    const std::size_t end = shard + 1 < begins.size() ? begins[shard + 1] : tensors.size();
    const auto part = std::span(tensors).subspan(begins[shard], end - begins[shard]);
    std::uint64_t bytes = 0;
    for (const PlannedTensor& tensor : part) bytes += tensor.bytes();
    auto writer = SafetensorsWriter::create(directory / shard_name(shard, begins.size()), part);
    ASSERT_TRUE(writer.has_value());
    ASSERT_TRUE(writer->write(counted(bytes)).has_value());
    ASSERT_TRUE(writer->finish().has_value());
  }
  ASSERT_TRUE(write_file(directory / "model.safetensors.index.json",
                         std::string_view(shard_index_text(tensors, begins)))
                  .has_value());
  const auto store = Store::open(directory);
  ASSERT_TRUE(store.has_value()) << to_string(store.error());
  EXPECT_EQ(store->shards(), 3u);
  EXPECT_EQ(store->tensors().size(), 5u);
  EXPECT_TRUE(store->notes().empty());  // total_size agrees
  EXPECT_EQ(store->files()[1].path().filename(), "model-00002-of-00003.safetensors");
  EXPECT_EQ(store->find("large")->shape, Shape({100}));
}

TEST(ShardName, OfASingleFileHasNoNumber) {
  EXPECT_EQ(shard_name(0, 1), "model.safetensors");
  EXPECT_EQ(shard_name(0, 12), "model-00001-of-00012.safetensors");
}

}  // namespace
}  // namespace herd::checkpoint
