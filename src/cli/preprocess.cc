// herd preprocess: a picture as the vision encoder gets it, for comparing with other implementations.
#include "media/preprocess.h"

#include "checkpoint/npy.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/media_input.h"
#include "cli/model_arguments.h"
#include "cli/output.h"
#include "engine/bundle.h"
#include "media/layout.h"

namespace herd::cli {
namespace {

struct PreprocessArguments {
  std::string model;
  std::string image;
  std::optional<std::string> out = {};
  bool json = true;

  static constexpr auto fields() {
    using O = PreprocessArguments;
    return option_list(option("model", &O::model,
                              "a checkpoint directory, a .gguf or .herd file, or the name cria"),
                       option("image", &O::image, "a JPEG, PNG, WebP or GIF file"),
                       option("out", &O::out, "the .npy file to write: float32 [tiles, 3, S, S]"),
                       option("json", &O::json, "what is printed is JSON in any case"));
  }
};

}  // namespace

Result<int> preprocess(Arguments arguments) {
  PreprocessArguments options;
  Flags flags("preprocess", "The tiles a picture becomes, and the tokens that stand for them",
              "herd preprocess models/cria photo.jpg --out tiles.npy");
  flags.add(options, {{"model"}, {"image"}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (!options.out)
    return fail_with_hint(Code::usage, "herd preprocess: --out is missing", "--out tiles.npy");
  HERD_TRY(const fs::path directory, find_model(options.model));
  HERD_TRY(const llama4::Config config, llama4::read_config(directory));
  if (!config.vision)
    return fail(Code::conversation_invalid, "{}: sees only text, not pictures", directory.string());
  HERD_TRY(const media::PreprocessOptions wanted,
           engine::picture_options(directory, *config.vision));
  HERD_TRY(const media::Image image, read_image(options.image));

  const media::Tiles tiles = media::preprocess(image, wanted);
  const media::Tiling& tiling = tiles.tiling;
  HERD_TRY(auto file, checkpoint::NpyWriter::create(*options.out,
                                                    {tiling.tiles(), 3, tiles.side, tiles.side}));
  HERD_TRY_VOID(file.write(tiles.pixels));
  HERD_TRY_VOID(file.finish());
  const auto layout =
      media::image_layout(tiling.rows, tiling.columns, config.vision->tokens_per_tile());
  HERD_TRY_VOID(
      print_json(json::object{{"canvas", json::array{tiling.rows, tiling.columns}},
                              {"resized", json::array{tiling.resized_width, tiling.resized_height}},
                              {"tiles", tiling.tiles()},
                              {"tokens", media::layout_tokens(layout)},
                              {"layout", media::layout_text(layout)}}));
  return 0;
}

}  // namespace herd::cli
