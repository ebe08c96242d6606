// A reader of the pickles that torch.save writes (protocols 2 to 5), and of nothing else. It has no way to run
// anything: a pickle may name only what the closed list in pickle_globals.cc holds, and each name there means a
// value of ours. Any other GLOBAL, REDUCE, NEWOBJ or BUILD is refused (E1211) with what was asked for. Not
// recursive; steps, values, nesting and names are bounded by base/limits.h whatever the pickle says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "tensor/dtype.h"

namespace herd::checkpoint {

// A tensor as the pickle describes it: a strided view of a storage that lies outside of the pickle.
struct PickledTensor {
  std::string name;  // keys of the dictionaries on the way to it, joined with '.'
  DType dtype = DType::f32;
  std::string storage;              // its key: the name of the ZIP entry under data/
  std::uint64_t storage_bytes = 0;  // as stated
  std::uint64_t offset = 0;         // into the storage, in elements
  std::vector<std::uint64_t> size;
  std::vector<std::uint64_t> stride;  // in elements
};

// The tensors of a pickled dictionary (nested ones included), in its order; other values in it (numbers, texts, the
// BytesIO of an _extra_state) are passed over. Fails with bad_pickle, unknown_dtype or invalid_utf8.
Result<std::vector<PickledTensor>> read_pickle(std::span<const std::byte> pickle);

}  // namespace herd::checkpoint
