// What a stage of a recipe learns from: its sources opened, checked and mixed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/bundle.h"
#include "train/recipe.h"
#include "train/source.h"

namespace herd::train {

struct StageData {
  std::unique_ptr<Source> train;
  std::unique_ptr<Source> held_out;  // of the sources that are generated; null where none is
};

// Fails with the errors of the files, recipe_invalid for names that the world does not have, nothing_to_learn for a
// source without a usable example. `bundle` must outlive the data.
Result<StageData> open_data(const engine::Bundle& bundle, const Recipe& recipe, const Stage& stage);

// Reads all of the recipe's files before anything runs, so that a bad line does not stop a training hours later. Turns
// epochs into tokens. Fails as open_data does, and with nothing_to_learn when more than one example in a hundred is of
// no use; `notes` get what is left out.
Result<void> check_data(const engine::Bundle& bundle, Recipe& recipe,
                        std::vector<std::string>& notes);

// A checksum of all the recipe's files; empty when it has none.
std::string checksum_of_data(const Recipe& recipe);

}  // namespace herd::train
