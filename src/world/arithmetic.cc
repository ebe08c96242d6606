// Sums of whole numbers: plain answers to small ones, worked steps for large ones or where they are asked for,
// comparisons, little word problems, and lines of a table. Steps go digit by digit from the right, as on paper.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "world/draw.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

struct Sum {
  int a = 0, b = 0;
  char sign = '+';  // + - *

  [[nodiscard]] int result() const { return sign == '+' ? a + b : sign == '-' ? a - b : a * b; }
  [[nodiscard]] std::string text() const {
    return fmt::format("{} {} {}", a, sign == '*' ? 'x' : sign, b);
  }
  // Whether it is worked out even where nobody asks for the steps.
  [[nodiscard]] bool large() const {
    return sign == '*' ? b >= 10 || a >= 100 : a >= 100 || b >= 100;
  }
  // One for both orders of what may be swapped: the answer to one gives the other away.
  [[nodiscard]] std::string subject() const {
    const bool swaps = sign != '-';
    return fmt::format("{}{}{}", swaps ? std::min(a, b) : a, sign, swaps ? std::max(a, b) : b);
  }
};

constexpr int powers[] = {1, 10, 100, 1000, 10000, 100000};

int draw_number(Draw& draw, int digits_max) {
  const int digits = draw.between(1, digits_max);
  return digits == 1 ? draw.below(10) : draw.between(powers[digits - 1], powers[digits] - 1);
}

// A fresh sum of this split.
Sum draw_sum(Draw& draw, char sign) {
  const int digits = std::min(draw.items_of(4), 5);
  while (true) {
    Sum sum{draw_number(draw, sign == '*' ? std::min(digits, 3) : digits),
            draw_number(draw, sign == '*' ? std::min(digits, 2) : digits), sign};
    if (sign == '-' && sum.a < sum.b && !draw.chance(0.1)) std::swap(sum.a, sum.b);
    if (draw.fits("arithmetic", sum.subject())) return sum;
  }
}

void add_digits(std::string& out, Sum sum) {
  for (int carry = 0; sum.a > 0 || sum.b > 0; sum.a /= 10, sum.b /= 10) {
    const int x = sum.a % 10, y = sum.b % 10, total = x + y + carry;
    out += carry > 0 ? fmt::format("{} + {} + {} = {}", x, y, carry, total)
                     : fmt::format("{} + {} = {}", x, y, total);
    carry = total / 10;
    out += carry > 0 ? fmt::format(", write {}, carry {}.\n", total % 10, carry)
                     : fmt::format(", write {}.\n", total % 10);
    if (sum.a < 10 && sum.b < 10 && carry > 0) out += fmt::format("Write the carry {}.\n", carry);
  }
}

void subtract_digits(std::string& out, Sum sum) {
  if (sum.a < sum.b) {
    out += fmt::format("{} is smaller than {}, so the answer is minus {} - {}.\n", sum.a, sum.b,
                       sum.b, sum.a);
    std::swap(sum.a, sum.b);
  }
  for (int borrow = 0; sum.a > 0; sum.a /= 10, sum.b /= 10) {
    const int x = sum.a % 10 - borrow, y = sum.b % 10;
    if (borrow > 0) out += fmt::format("{} - {} = {}. ", sum.a % 10, borrow, x);
    borrow = x < y ? 1 : 0;
    out += borrow > 0 ? fmt::format("{} is less than {}, borrow: {} - {} = {}, write {}.\n", x, y,
                                    x + 10, y, x + 10 - y, x + 10 - y)
                      : fmt::format("{} - {} = {}, write {}.\n", x, y, x - y, x - y);
  }
}

void multiply_parts(std::string& out, const Sum& sum) {
  std::vector<int> parts;
  for (int rest = sum.b, unit = 1; rest > 0; rest /= 10, unit *= 10)
    if (const int digit = rest % 10; digit > 0)
      for (int top = sum.a, place = 1; top > 0; top /= 10, place *= 10)
        if (top % 10 > 0) {
          parts.push_back(top % 10 * place * digit * unit);
          out += fmt::format("{} x {} = {}.\n", top % 10 * place, digit * unit, parts.back());
        }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    out += fmt::format("{} + {} = {}.\n", parts[i - 1], parts[i], parts[i - 1] + parts[i]);
    parts[i] += parts[i - 1];
  }
}

std::string steps_of(const Sum& sum) {
  std::string out;
  if (sum.sign == '+') add_digits(out, sum);
  if (sum.sign == '-') subtract_digits(out, sum);
  if (sum.sign == '*') multiply_parts(out, sum);
  return out + fmt::format("The answer is {}.", sum.result());
}

std::string said(Draw& draw, const Sum& sum) {
  const std::string a = std::to_string(sum.a), b = std::to_string(sum.b), text = sum.text();
  if (draw.chance(0.6))
    return draw.say(
        "{{What is|How much is} $sum?|{Calculate|Work out|Compute|Solve} $sum{.|}|$sum = ?|$sum}",
        {{"sum", text}});
  const std::string_view words =
      sum.sign == '+'   ? "{What is $a plus $b?|Add $a and $b.|What is the sum of $a and $b?}"
      : sum.sign == '-' ? "{What is $a minus $b?|Subtract $b from $a.|Take $b away from $a.}"
                        : "{What is $a times $b?|Multiply $a by $b.|What is $a multiplied by $b?}";
  return draw.say(words, {{"a", a}, {"b", b}});
}

void add_sum(Draw& draw, Sample& sample, const Sum& sum) {
  const bool at_once = sum.sign != '*' && sum.large() && draw.chance(0.15);
  const bool asked = !at_once && draw.chance(0.4);
  std::string question = said(draw, sum);
  if (asked)
    question +=
        draw.say(" {Show your work.|Step by step, please.|Show the steps.|Think step by step.}");
  if (at_once) question += draw.say(" {Only the answer.|Just the answer, please.|No steps.}");
  add_user(sample, question);
  const std::string result = std::to_string(sum.result());
  if (asked || (sum.large() && !at_once)) {
    add_answer(sample, steps_of(sum));
    grade_as(sample, Check::contains, {"The answer is " + result});
  } else {
    const std::string full = sum.text() + " = " + result;
    add_answer(sample, full);
    grade_as(sample, Check::one_of, {full, result});
  }
}

void add_comparison(Draw& draw, Sample& sample, const Sum& pair) {
  const bool larger = draw.chance(0.5);
  const std::string a = std::to_string(pair.a), b = std::to_string(pair.b);
  add_user(sample, draw.say(larger ? "Which {number |}is {larger|bigger|greater}, $a or $b?"
                                   : "Which {number |}is {smaller|less|lower}, $a or $b?",
                            {{"a", a}, {"b", b}}));
  if (pair.a == pair.b) {
    add_answer(sample, "They are equal.");
    return grade_as(sample, Check::contains, {"equal"});
  }
  const int right = larger ? std::max(pair.a, pair.b) : std::min(pair.a, pair.b);
  add_answer(sample, fmt::format("{} is {}.", right, larger ? "larger" : "smaller"));
  grade_as(sample, Check::contains, {std::to_string(right)},
           {std::to_string(pair.a + pair.b - right)});
}

void add_word_problem(Draw& draw, Sample& sample, Sum sum) {
  if (sum.sign == '-' && sum.a < sum.b) std::swap(sum.a, sum.b);
  const std::vector<Person> two = draw.several(2, people());
  const std::string a = std::to_string(sum.a), b = std::to_string(sum.b);
  const std::string things = plural_of(draw.one(draw.chance(0.5) ? foods() : objects()));
  const std::string_view pattern =
      sum.sign == '+'   ? "{$p has $a $things. $q has $b $things. How many $things do they have "
                          "together?|$p has $a $things and "
                          "{gets|finds|buys} $b more. How many $things does $p have now?}"
      : sum.sign == '-' ? "{$p has $a $things and {gives $b to $q|loses $b|sells $b}. How many "
                          "$things does $p have {left|now}?|"
                          "There are $a $things. $p takes $b of them. How many are left?}"
                        : "{There are $a boxes with $b $things each. How many $things are "
                          "there?|$p buys $a bags. In each bag are "
                          "$b $things. How many $things does $p have?}";
  add_user(
      sample,
      draw.say(pattern,
               {{"p", two[0].name}, {"q", two[1].name}, {"a", a}, {"b", b}, {"things", things}}));
  const std::string result = std::to_string(sum.result());
  add_answer(sample, sum.large() ? steps_of(sum) : sum.text() + " = " + result);
  grade_as(sample, Check::contains, {sum.large() ? "The answer is " + result : result});
}

void write_table(Draw& draw, Sample& sample) {
  for (int lines = draw.between(4, 12); lines > 0; --lines) {
    const Sum sum = draw_sum(draw, draw.one({'+', '+', '-', '*'}));
    const std::string steps = sum.large() || draw.chance(0.2) ? "\n" + steps_of(sum) : "";
    sample.text +=
        sum.text() + (steps.empty() ? fmt::format(" = {}\n", sum.result()) : steps + "\n");
    sample.subject = sum.subject();
  }
  sample.text.pop_back();
}

}  // namespace

bool make_arithmetic(Draw& draw, Sample& sample) {
  if (draw.sizes().items == 0 && draw.chance(0.15)) {
    write_table(draw, sample);
    return true;
  }
  for (int turns = draw.between(1, 5); turns > 0; --turns) {
    const Sum sum = draw_sum(draw, draw.one({'+', '+', '-', '-', '*'}));
    sample.subject = sum.subject();
    const double kind = draw.real();
    if (kind < 0.7)
      add_sum(draw, sample, sum);
    else if (kind < 0.85)
      add_comparison(draw, sample, sum);
    else
      add_word_problem(draw, sample, sum);
  }
  return true;
}

}  // namespace herd::world
