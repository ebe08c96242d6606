#include "checkpoint/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "base/bytes.h"
#include "base/checked_math.h"
#include "checkpoint/foreign.h"
#include "checkpoint/pickle.h"
#include "checkpoint/zip.h"

namespace herd::checkpoint {
namespace {

constexpr std::string_view pickle_name = "/data.pkl";

// The entries' common directory with its slash: "consolidated.00/".
Result<std::string_view> root_of(const std::vector<ZipEntry>& entries) {
  std::optional<std::string_view> root;
  for (const ZipEntry& entry : entries) {
    if (!entry.name.ends_with(pickle_name)) continue;
    const std::string_view here = entry.name.substr(0, entry.name.size() - pickle_name.size() + 1);
    if (here.find('/') != here.size() - 1) continue;  // deeper ones are not torch's
    if (root)
      return fail(Code::bad_header, "has two pickles, {}data.pkl and {}data.pkl", shown(*root),
                  shown(here));
    root = here;
  }
  if (!root) return fail(Code::bad_magic, "is a ZIP without data.pkl, so not a file of torch.save");
  return *root;
}

// Rows of a strided tensor, one after the other.
std::vector<std::byte> in_order(std::span<const std::byte> storage, const PickledTensor& tensor,
                                std::uint64_t elements) {
  const std::uint64_t element = row_of(tensor.dtype).bytes;
  std::vector<std::byte> out(elements * element);
  std::vector<std::uint64_t> index(tensor.size.size(), 0);
  for (std::uint64_t i = 0; i < elements; ++i) {
    std::uint64_t at = tensor.offset;
    for (std::size_t axis = 0; axis < index.size(); ++axis) at += index[axis] * tensor.stride[axis];
    std::memcpy(out.data() + i * element, storage.data() + at * element, element);
    for (std::size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < tensor.size[axis]) break;
      index[axis] = 0;
    }
  }
  return out;
}

bool is_contiguous(const PickledTensor& tensor) {
  std::uint64_t wanted = 1;
  for (std::size_t axis = tensor.size.size(); axis-- > 0;) {
    if (tensor.size[axis] != 1 && tensor.stride[axis] != wanted) return false;
    wanted *= tensor.size[axis];
  }
  return true;
}

// Index behind the last element that the view reaches; nothing when that overflows.
std::optional<std::uint64_t> reach(const PickledTensor& tensor) {
  std::optional<std::uint64_t> last = tensor.offset;
  for (std::size_t axis = 0; axis < tensor.size.size() && last; ++axis) {
    const auto step = checked_mul(tensor.size[axis] - 1, tensor.stride[axis]);
    last = step ? checked_add(*last, *step) : std::nullopt;
  }
  return last ? checked_add(*last, 1) : std::nullopt;
}

// `copies_left`: bytes that views which are not in order may still take.
Result<TorchTensor> place(const PickledTensor& pickled, std::span<const std::byte> storage,
                          std::uint64_t& copies_left, TorchFile& file) {
  const std::uint64_t element = row_of(pickled.dtype).bytes;
  const auto elements = checked_product(pickled.size);
  const auto bytes = elements ? checked_mul(*elements, element) : std::nullopt;
  if (!bytes || *bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return fail(Code::shape_overflow, "shape product overflows 64 bits: [{}]",
                fmt::join(pickled.size, ", "));
  TorchTensor tensor{.name = pickled.name, .dtype = pickled.dtype, .shape = {}, .bytes = {}};
  for (std::uint64_t dim : pickled.size) {
    if (dim > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return fail(Code::shape_overflow, "shape product overflows 64 bits: [{}]",
                  fmt::join(pickled.size, ", "));
    tensor.shape.push(static_cast<std::int64_t>(dim));
  }
  if (*elements == 0) return tensor;
  const auto end = reach(pickled);
  const auto end_bytes = end ? checked_mul(*end, element) : std::nullopt;
  if (!end_bytes || *end_bytes > storage.size())
    return fail(
        Code::tensor_range, "[{}] of {} from element {} on ends behind its storage's {} bytes",
        fmt::join(pickled.size, ", "), row_of(pickled.dtype).name, pickled.offset, storage.size());
  if (is_contiguous(pickled)) {
    tensor.bytes = storage.subspan(pickled.offset * element, *bytes);
    return tensor;
  }
  // A view that repeats elements could promise any amount of memory.
  if (*bytes > storage.size())
    return fail(Code::tensor_range, "[{}] repeats elements of its storage; weights do not",
                fmt::join(pickled.size, ", "));
  // So could many views of one storage.
  if (*bytes > copies_left)
    return fail(Code::tensor_range,
                "[{}] takes {} bytes put in order, but only {} are left: all tensors that are not "
                "in order have no more than the file together",
                fmt::join(pickled.size, ", "), *bytes, copies_left);
  copies_left -= *bytes;
  file.storage.push_back(in_order(storage, pickled, *elements));
  tensor.bytes = file.storage.back();
  return tensor;
}

}  // namespace

Result<TorchFile> parse_torch_file(std::span<const std::byte> file) {
  // torch before 1.6: a pickle of the number 0x1950a86a20f9469cfc6c stands first.
  constexpr std::array<unsigned char, 4> before_zip{0x80, 0x02, 0x8a, 0x0a};
  if (file.empty()) return fail(Code::file_empty, "file is 0 bytes; wanted a file of torch.save");
  HERD_TRY_VOID(refuse_foreign(file, "a file of torch.save"));
  if (file.size() >= before_zip.size() &&
      std::memcmp(file.data(), before_zip.data(), before_zip.size()) == 0)
    return fail_with_hint(Code::bad_magic, "is in the format of torch before 1.6, not a ZIP",
                          "save it again with a current torch");
  HERD_TRY(const std::vector<ZipEntry> entries, read_zip(file));
  HERD_TRY(const std::string_view root, root_of(entries));
  const auto entry = [&](std::string_view name) {
    return find_entry(entries, std::string(root) + std::string(name));
  };
  if (const ZipEntry* order = entry("byteorder"); order != nullptr) {
    const std::string_view text = text_of(order->bytes);
    if (text != "little")
      return fail(Code::bad_header, "byte order is {}, supported: little", shown(text));
  }
  const ZipEntry& pickle = *entry("data.pkl");
  HERD_TRY_VOID(check_crc(pickle));
  HERD_TRY(const std::vector<PickledTensor> pickled, read_pickle(pickle.bytes));

  TorchFile out;
  std::uint64_t copies_left = file.size();
  for (const PickledTensor& one : pickled) {
    const auto in_tensor = [&](Error&& error) {
      return std::unexpected(std::move(error).in("tensor " + shown(one.name)));
    };
    const ZipEntry* storage = entry("data/" + one.storage);
    if (storage == nullptr)
      return fail(Code::tensor_range, "tensor {}: its storage data/{} is missing", shown(one.name),
                  shown(one.storage));
    if (storage->bytes.size() < one.storage_bytes)
      return fail(Code::tensor_range, "tensor {}: its storage has {} bytes, wanted {}",
                  shown(one.name), storage->bytes.size(), one.storage_bytes);
    auto tensor = place(one, storage->bytes.first(one.storage_bytes), copies_left, out);
    if (!tensor) return in_tensor(std::move(tensor).error());
    out.tensors.push_back(std::move(*tensor));
  }
  std::ranges::sort(out.tensors, {}, &TorchTensor::name);
  const auto twice = std::ranges::adjacent_find(out.tensors, {}, &TorchTensor::name);
  if (twice != out.tensors.end())
    return fail(Code::duplicate_tensor, "tensor {} occurs twice", shown(twice->name));
  return out;
}

}  // namespace herd::checkpoint
