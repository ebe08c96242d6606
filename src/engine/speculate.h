// Guessing the next tokens, so that one pass can check several: what followed the last few tokens when they stood there
// before (n-gram lookup, Saxena 2023), or what the caller said the answer would be. A wrong guess costs time and never
// changes an answer.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace herd::engine {

// The guesses for one answer.
class Speculator {
 public:
  // `longest`: guesses at a time; 0 for none ever.
  Speculator(std::span<const std::int32_t> prompt, std::span<const std::int32_t> prediction,
             std::int64_t longest);

  // The guesses for what follows, none to `longest`; valid until the next call.
  std::span<const std::int32_t> guess();
  // A token of the answer, drawn after all others.
  void push(std::int32_t token);
  // How the last guesses did: `checked` of them were compared, the first `right` were.
  void learn(std::int64_t checked, std::int64_t right);
  // Whether the last guesses came from the prediction.
  [[nodiscard]] bool from_prediction() const { return from_prediction_; }

 private:
  // Of a prompt the end is read: reading takes the engine's time, a tenth of a millisecond for a thousand tokens.
  static constexpr std::size_t prompt_tokens_max = 32'768;
  static constexpr std::size_t longest_gram = 3, shortest_gram = 2;
  // Where each run of tokens last ended, in one text.
  struct Text {
    std::vector<std::int32_t> tokens;
    std::array<std::unordered_map<std::uint64_t, std::size_t>, longest_gram + 1> end_of;
    void push(std::int32_t token, bool later);
    std::size_t indexed = 0;
  };
  static std::uint64_t gram(std::span<const std::int32_t> last);
  [[nodiscard]] std::size_t found_in(const Text& text, std::size_t length) const;

  Text history_, prediction_;
  std::size_t answered_ = 0;       // tokens of the answer
  std::size_t prediction_at_ = 0;  // where the answer stands in the prediction, while it follows it
  bool follows_ = false;
  bool from_prediction_ = false;
  std::int64_t longest_, length_ = 2, rest_ = 0, failures_ = 0;
  std::vector<std::int32_t> guesses_;
};

// Whether checking guesses pays on this machine, at a number of sequences: measured from the time that steps take and
// the tokens they give, with guesses and without. Time is an argument.
class DraftMeter {
 public:
  // Whether the next step should have guesses. Mostly what was better so far; now and then the other, to know.
  bool wants(std::int64_t sequences);
  // A step of decoding only took `ms` and gave `tokens`.
  void took(std::int64_t sequences, bool with_guesses, double ms, std::int64_t tokens);
  // Milliseconds a token; 0 while unknown.
  [[nodiscard]] double ms_per_token(std::int64_t sequences, bool with_guesses) const;

 private:
  struct Class {
    std::array<double, 2> ms_per_token{};  // without, with
    std::array<std::int64_t, 2> samples{};
    std::int64_t steps = 0;
  };
  static std::size_t class_of(std::int64_t sequences);
  std::array<Class, 16> classes_;  // by the power of two
};

}  // namespace herd::engine
