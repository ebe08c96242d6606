#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits_table.h"
#include "cli/testing/run_herd.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/quantized_product.h"

namespace herd::cli {
namespace {

TEST(Doctor, MeasuresThisMachine) {
  const TemporaryDirectory scratch;
  const Ran ran = run_herd({"doctor", scratch.path(), "--json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  const json::value found = document_of(ran);
  EXPECT_EQ(found.at("kernels").at("chosen").as_string(), cpu::chosen_instruction_set());
  EXPECT_EQ(found.at("kernels").at("quantized").as_string(), cpu::chosen_quantized_kernels().name);
  EXPECT_GT(found.at("kernels").at("f32_gflops").to_number<double>(), 0.1);
  EXPECT_GT(found.at("memory").at("read_gbps").to_number<double>(), 0.1);
  EXPECT_GT(found.at("memory").at("physical").to_number<double>(), 1e8);
  EXPECT_GE(found.at("cpu").at("usable").to_number<int>(), 1);
  const json::object& disk = found.at("disk").as_object();
  EXPECT_EQ(disk.at("directory").as_string(), scratch.path().string());
  ASSERT_TRUE(disk.contains("read_gbps")) << ran.out;
  EXPECT_GT(disk.at("read_gbps").to_number<double>(), 0.0);
  EXPECT_TRUE(fs::is_empty(scratch.path()));
  for (const LimitRow& row : limit_rows())
    EXPECT_EQ(found.at("limits").at(row.name).to_number<std::uint64_t>(), row.value);
  for (const auto& part : found.at("versions").as_object())
    EXPECT_FALSE(part.value().as_string().empty()) << part.key();
}

TEST(Doctor, TakesTheKernelsThatAreNamed) {
  ::setenv("HERD_KERNELS", "portable", 1);
  const Ran portable = run_herd({"doctor", "--json"});
  ::setenv("HERD_KERNELS", "portabel", 1);
  const Ran unknown = run_herd({"doctor"});
  ::unsetenv("HERD_KERNELS");
  cpu::force_quantized_kernels("");
  EXPECT_EQ(document_of(portable).at("kernels").at("quantized").as_string(), "portable");
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err,
              testing::HasSubstr("HERD_KERNELS: kernels are 'portabel', this processor has"));
  EXPECT_THAT(unknown.err, testing::HasSubstr("portable"));
}

TEST(Doctor, SpeaksToPeople) {
  const Ran ran = run_herd({"doctor", "models/cria"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  for (const char* name :
       {"processor ", "kernels ", "memory ", "disk ", "gpu ", "versions ", "json_depth_max "})
    EXPECT_THAT(ran.out, testing::HasSubstr(name));
}

TEST(Doctor, KnowsNoModelOfThatName) { EXPECT_EQ(run_herd({"doctor", "no_such"}).status, 66); }

}  // namespace
}  // namespace herd::cli
