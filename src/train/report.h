// What was done, for whoever wants to know or to do it again: written beside the model when a training ends.
#pragma once

#include "base/file.h"
#include "train/trainer.h"

namespace herd::train {

// A Markdown page: parameters, tokens, time, operations, how losses fell (from the curves), what it was made of with
// checksums, and the recipe itself. Fails with the errors of the files.
Result<void> write_report(Trainer& trainer, const fs::path& curves, const fs::path& out);

}  // namespace herd::train
