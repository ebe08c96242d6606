// Plain text: files whose documents are read as they are, without speakers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/pieces.h"
#include "train/source.h"

namespace herd::train {

// A file of UTF-8 is one document; a line that is nothing but <|endoftext|> or <|end_of_text|> ends one and begins the
// next. A directory stands for all its .txt and .md files, those of its directories too, in the order of their paths.
// Documents are cut into pieces of at most length_max tokens; only the first begins with begin-of-text.
class TextSource final : public FileSource {
 public:
  using FileSource::FileSource;  // empty: see open()

  // Fails with missing_input, io_failed, invalid_utf8 (naming the line), or training_data_invalid when there is no
  // text.
  static Result<std::unique_ptr<TextSource>> open(const engine::Bundle& bundle,
                                                  const fs::path& path, std::uint64_t seed,
                                                  float weight, std::int64_t length_max);

  [[nodiscard]] std::size_t examples() const override { return pieces_.size(); }
  [[nodiscard]] Example example(std::size_t index) const override;
  [[nodiscard]] std::string place(std::size_t index) const override;

 private:
  float weight_ = 1;
  std::vector<std::int32_t> tokens_;
  std::vector<std::string> names_;  // of files
  std::vector<Piece> pieces_;
};

// The files that a path stands for: itself, or a directory's texts. Fails with missing_input or training_data_invalid.
Result<std::vector<fs::path>> text_files(const fs::path& path);

// The documents of a file, without empty ones; they point into `text`.
std::vector<std::string_view> documents_of(std::string_view text);

// A file's text, checked and without a byte order mark. Fails with invalid_utf8 and the errors of files.
Result<std::string> read_text(const fs::path& path);

}  // namespace herd::train
