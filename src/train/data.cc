#include "train/data.h"

#include <algorithm>

#include "base/hash.h"
#include "train/shard.h"
#include "train/source_mixture.h"
#include "train/text_source.h"

namespace herd::train {
namespace {

constexpr std::size_t places_shown_max = 20;
constexpr std::uint64_t data_bytes_max = std::uint64_t{4} << 30;

Weights weights_of(const Stage& stage) {
  return {.prompt = static_cast<float>(stage.prompt_weight),
          .document = static_cast<float>(stage.document_weight)};
}

Result<std::unique_ptr<FileSource>> open_file(const engine::Bundle& bundle, const Recipe& recipe,
                                              const Stage& stage, const SourceOptions& source,
                                              std::uint64_t seed) {
  const fs::path path = recipe.directory / source.path();
  const Weights weights = weights_of(stage);
  if (!source.text.empty()) {
    HERD_TRY(auto file, TextSource::open(bundle, path, seed, weights.document, stage.length_max));
    return file;
  }
  if (!source.shards.empty()) {
    HERD_TRY(auto file, ShardSource::open(bundle, path, seed, weights, stage.length_max));
    return file;
  }
  HERD_TRY(auto file, JsonLinesSource::open(bundle, path, seed, weights));
  return file;
}

Result<WorldChoice> choice_of(const SourceOptions& source) {
  WorldChoice choice;
  const world::Stage* stage = world::find_stage(source.world);
  if (stage == nullptr && source.tasks.empty())
    return fail_with_hint(Code::recipe_invalid,
                          fmt::format("the world has no stage named \"{}\"", source.world),
                          world::stage_hint(source.world));
  if (stage != nullptr) choice.sizes = stage->sizes;
  if (source.items_max) choice.sizes.items_max = static_cast<int>(*source.items_max);
  if (source.bytes_max) choice.sizes.bytes_max = static_cast<int>(*source.bytes_max);
  if (stage != nullptr) choice.mixture.emplace(*stage, choice.sizes);
  for (const std::string& name : source.tasks) {
    choice.tasks.push_back(world::find_task(name));
    if (choice.tasks.back() == nullptr)
      return fail_with_hint(Code::recipe_invalid,
                            fmt::format("the world has no task named \"{}\"", name),
                            world::task_hint(name));
  }
  return choice;
}

// Sources of one stage have numbers of their own; the first has the recipe's.
std::uint64_t seed_of(const Recipe& recipe, std::size_t source) {
  return recipe.training.seed + 0x9e3779b97f4a7c15 * source;
}

struct Opened {
  std::unique_ptr<Source> train, held_out;
};

Result<Opened> open_source(const engine::Bundle& bundle, const Recipe& recipe, const Stage& stage,
                           std::size_t number) {
  const SourceOptions& source = stage.sources[number];
  const std::uint64_t seed = seed_of(recipe, number);
  Opened opened;
  if (source.is_file()) {
    HERD_TRY(opened.train, open_file(bundle, recipe, stage, source, seed));
    return opened;
  }
  HERD_TRY(const WorldChoice choice, choice_of(source));
  const auto of = [&](world::Split split) {
    return std::make_unique<WorldSource>(bundle, choice, seed, weights_of(stage), split);
  };
  opened.train = of(world::Split::train);
  opened.held_out = of(world::Split::held_out);
  return opened;
}

std::string name_of(const Stage& stage, std::size_t source) {
  return stage.sources.size() == 1 ? fmt::format("stage \"{}\"", stage.name)
                                   : fmt::format("stage \"{}\", source {}", stage.name, source + 1);
}

// Reads a file, counts its tokens, and says what of it is of no use.
Result<std::int64_t> check_file(const FileSource& file, const fs::path& path,
                                std::int64_t length_max, std::vector<std::string>& notes) {
  const FileSource::Round round = file.round(length_max);
  if (round.left_out.empty()) return round.tokens;
  std::string places;
  for (std::size_t i = 0; i < std::min(round.left_out.size(), places_shown_max); ++i)
    places += (i == 0 ? "" : ", ") + file.place(round.left_out[i]);
  if (round.left_out.size() > places_shown_max) places += ", ...";
  const std::string what =
      fmt::format("{}: {} of {} examples are longer than {} tokens or have none that counts: {}",
                  path.string(), round.left_out.size(), file.examples(), length_max, places);
  if (100 * round.left_out.size() > file.examples())
    return fail_with_hint(Code::nothing_to_learn, what,
                          "a larger length_max, or conversations that end with the assistant");
  notes.push_back(what);
  return round.tokens;
}

// Files that cannot be read count as nothing: who opens them says so. A shard's header holds the checksum of its rest.
std::string checksum_of(const SourceOptions& source, const fs::path& path) {
  const auto sum = [](std::string_view text) { return fmt::format("{:016x}", fnv1a(text)); };
  std::string sums;
  if (!source.shards.empty()) {
    for (const fs::path& file : shard_files(path).value_or(std::vector<fs::path>{}))
      sums += shard_header(file);
    return sum(sums);
  }
  if (!source.text.empty()) {
    for (const fs::path& file : text_files(path).value_or(std::vector<fs::path>{}))
      sums += sum(read_file(file, data_bytes_max).value_or(std::string()));
    return sum(sums);
  }
  const auto data = read_file(path, data_bytes_max);
  return data ? sum(*data) : std::string();
}

}  // namespace

Result<StageData> open_data(const engine::Bundle& bundle, const Recipe& recipe,
                            const Stage& stage) {
  StageData data;
  std::vector<SourceMixture::Part> train, held_out;
  for (std::size_t i = 0; i < stage.sources.size(); ++i) {
    auto opened = open_source(bundle, recipe, stage, i);
    if (!opened) return std::unexpected(std::move(opened).error().in(name_of(stage, i)));
    if (stage.sources.size() == 1) {
      return StageData{.train = std::move(opened->train), .held_out = std::move(opened->held_out)};
    }
    HERD_TRY(const double tokens, opened->train->mean_tokens(stage.length_max));
    if (tokens <= 0)
      return fail(Code::nothing_to_learn, "{}: no example has a token to learn and at most {}",
                  name_of(stage, i), stage.length_max);
    const double share = stage.sources[i].share;
    train.push_back({std::move(opened->train), share, tokens});
    if (opened->held_out) held_out.push_back({std::move(opened->held_out), share, tokens});
  }
  data.train = std::make_unique<SourceMixture>(std::move(train), recipe.training.seed);
  if (!held_out.empty())
    data.held_out = std::make_unique<SourceMixture>(std::move(held_out), recipe.training.seed);
  return data;
}

Result<void> check_data(const engine::Bundle& bundle, Recipe& recipe,
                        std::vector<std::string>& notes) {
  for (Stage& stage : recipe.stages)
    for (std::size_t i = 0; i < stage.sources.size(); ++i) {
      const SourceOptions& source = stage.sources[i];
      if (!source.is_file()) {
        auto choice = choice_of(source);
        if (!choice) return std::unexpected(std::move(choice).error().in(name_of(stage, i)));
        continue;
      }
      HERD_TRY(const std::unique_ptr<FileSource> file,
               open_file(bundle, recipe, stage, source, seed_of(recipe, i)));
      HERD_TRY(const std::int64_t tokens,
               check_file(*file, recipe.directory / source.path(), stage.length_max, notes));
      if (stage.epochs > 0) stage.tokens = stage.epochs * static_cast<double>(tokens);
    }
  return {};
}

std::string checksum_of_data(const Recipe& recipe) {
  std::string sums;
  for (const Stage& stage : recipe.stages)
    for (const SourceOptions& source : stage.sources)
      if (source.is_file()) sums += checksum_of(source, recipe.directory / source.path());
  return sums;
}

}  // namespace herd::train
