// Short programs in a small part of Python: what do they print, and which program does what is asked. The programs are
// run while they are written, so the output is what Python would print. What a program prints is answered with a line
// for each step that is carried out: a model that must say the output at once guesses it.
#include <fmt/format.h>

#include <algorithm>

#include "world/draw.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

constexpr std::string_view names[] = {"a", "b", "c", "n", "x", "y", "z", "total", "count", "k"};

struct Variable {
  std::string_view name;
  int value;
};

// Writes lines and carries out what they say.
class Program {
 public:
  explicit Program(Draw& draw) : draw_(draw) {
    const std::vector<std::string_view> chosen = draw.several(draw.between(2, 3), names);
    for (const std::string_view name : chosen) {
      variables_.push_back({name, draw.below(20)});
      line("{} = {}", name, variables_.back().value);
      did("{} = {}", name, variables_.back().value);
    }
  }

  void statement(int depth) {
    switch (draw_.below(depth == 0 ? 5 : 2)) {
      case 0:
      case 1:
        return assignment();
      case 2:
        return branch();
      case 3:
        return loop();
      default:
        return print();
    }
  }

  void print() {
    const Variable& variable = draw_.one(variables_);
    line("print({})", variable.name);
    print(variable.value);
  }

  std::string text, output;
  std::string steps;  // what is carried out, with values: "a = 3 + 4 = 7\n3 < 5, yes\nprint 7\n"

 private:
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    text.append(static_cast<std::size_t>(indent_), ' ');
    text += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }

  template <typename... Args>
  void did(fmt::format_string<Args...> format, Args&&... args) {
    steps += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }

  void print(int value) {
    output += fmt::format("{}\n", value);
    did("print {}", value);
  }

  // One assignment: its text, and what it does to the variables.
  struct Assignment {
    std::size_t target;
    char sign;
    bool in_place;      // x += y
    int constant;       // or
    std::size_t other;  // a variable, if constant < 0
  };

  Assignment draw_assignment() {
    const int count = static_cast<int>(variables_.size());
    Assignment step{static_cast<std::size_t>(draw_.below(count)), draw_.one({'+', '+', '-', '*'}),
                    draw_.chance(0.6), -1, 0};
    if (step.sign == '*' || draw_.chance(0.5))
      step.constant = draw_.between(1, step.sign == '*' ? 3 : 10);
    step.other = static_cast<std::size_t>(draw_.below(count));
    return step;
  }

  void write(const Assignment& step) {
    const std::string_view target = variables_[step.target].name;
    const std::string right = step.constant >= 0 ? std::to_string(step.constant)
                                                 : std::string(variables_[step.other].name);
    if (step.in_place)
      line("{} {}= {}", target, step.sign, right);
    else
      line("{} = {} {} {}", target, target, step.sign, right);
  }

  void run(const Assignment& what) {
    auto& [name, value] = variables_[what.target];
    const int left = value;
    const int right = what.constant >= 0 ? what.constant : variables_[what.other].value;
    value = what.sign == '+' ? left + right : what.sign == '-' ? left - right : left * right;
    did("{} = {} {} {} = {}", name, left, what.sign, right, value);
  }

  void assignment() {
    const Assignment step = draw_assignment();
    write(step);
    run(step);
  }

  void branch() {
    const Variable variable = draw_.one(variables_);
    const int bound = variable.value + draw_.between(-5, 5);
    const char sign = draw_.one({'<', '>'});
    const bool taken = sign == '<' ? variable.value < bound : variable.value > bound;
    did("{} {} {}, {}", variable.value, sign, bound, taken ? "yes" : "no");
    line("if {} {} {}:", variable.name, sign, bound);
    const Assignment then = draw_assignment(), otherwise = draw_assignment();
    indented([&] { write(then); });
    if (taken) run(then);
    if (!draw_.chance(0.6)) return;
    line("else:");
    indented([&] { write(otherwise); });
    if (!taken) run(otherwise);
  }

  void loop() {
    const int times = draw_.between(2, 4);
    line("for i in range({}):", times);
    Assignment step = draw_assignment();
    if (step.sign == '*') step.constant = 2;
    const bool prints = draw_.chance(0.25);
    indented([&] {
      write(step);
      if (prints) line("print({})", variables_[step.target].name);
    });
    for (int i = 0; i < times; ++i) {
      run(step);
      if (prints) print(variables_[step.target].value);
    }
  }

  template <typename Body>
  void indented(Body&& body) {
    indent_ += 4;
    body();
    indent_ -= 4;
  }

  Draw& draw_;
  std::vector<Variable> variables_;
  int indent_ = 0;
};

// A program, what it prints and, if that takes any, the steps to it: a line for each.
struct Ran {
  std::string text, output, steps = {};
};

Ran statements(Draw& draw) {
  Program program(draw);
  for (int i = draw.between(1, 5); i > 0; --i) program.statement(0);
  program.print();
  program.text.pop_back();
  program.output.pop_back();
  return {std::move(program.text), std::move(program.output), std::move(program.steps)};
}

// "3 + 4 = 7, 7 + 1 = 8\n"; one number is its own sum.
std::string sum_steps(const std::vector<int>& list, int& sum) {
  std::string steps;
  sum = list[0];
  for (std::size_t i = 1; i < list.size(); ++i) {
    steps += fmt::format("{}{} + {} = {}", i > 1 ? ", " : "", sum, list[i], sum + list[i]);
    sum += list[i];
  }
  return steps.empty() ? steps : steps + "\n";
}

// One line makes a list, one to three change it, one prints. The steps are the list after every change.
Ran list_program(Draw& draw) {
  std::vector<int> list;
  for (int i = draw.between(2, 5); i > 0; --i) list.push_back(draw.below(30));
  const auto written = [&] { return fmt::format("[{}]", fmt::join(list, ", ")); };
  Ran ran{"items = " + written() + "\n", {}};
  const auto changed = [&](std::string_view line) {
    ran.text += line;
    ran.steps += written() + "\n";
  };
  for (int steps = draw.between(1, 3); steps > 0; --steps) switch (draw.below(4)) {
      case 0:
        list.push_back(draw.below(30));
        changed(fmt::format("items.append({})\n", list.back()));
        break;
      case 1:
        std::ranges::sort(list);
        changed("items.sort()\n");
        break;
      case 2:
        std::ranges::reverse(list);
        changed("items.reverse()\n");
        break;
      default:
        if (list.size() < 2) break;
        list.pop_back();
        changed("items.pop()\n");
    }
  switch (draw.below(5)) {
    case 0:
      ran.text += "print(len(items))";
      ran.output = std::to_string(list.size());
      break;
    case 1: {
      int sum = 0;
      ran.steps += sum_steps(list, sum);
      ran.text += "print(sum(items))";
      ran.output = std::to_string(sum);
      break;
    }
    case 2:
      ran.text += "print(max(items))";
      ran.output = std::to_string(*std::ranges::max_element(list));
      break;
    case 3:
      ran.text += "print(items[0])";
      ran.output = std::to_string(list[0]);
      break;
    default:
      ran.text += "print(items)";
      ran.output = written();
  }
  return ran;
}

Ran text_program(Draw& draw) {
  const std::string a(draw.one(lexicon())), b(draw.one(lexicon()));
  const std::string text = fmt::format("s = \"{}\"\n", a);
  switch (draw.below(5)) {
    case 0:
      return {text + fmt::format("print(s + \"{}\")", b), a + b};
    case 1:
      return {text + "print(s.upper())", upper_case(a)};
    case 2:
      return {text + "print(len(s))", std::to_string(a.size()), numbered(letters_of(a)) + "\n"};
    case 3: {
      const std::string backwards(a.rbegin(), a.rend());
      return {text + "print(s[::-1])", backwards,
              spelled(a, "-") + ", " + spelled(backwards, "-") + "\n"};
    }
    default: {
      const int times = draw.between(2, 3);
      std::string output;
      for (int i = 0; i < times; ++i) output += a;
      return {text + fmt::format("print(s * {})", times), output};
    }
  }
}

bool predict(Draw& draw, Sample& sample) {
  const double kind = draw.real();
  const Ran ran = kind < 0.6   ? statements(draw)
                  : kind < 0.8 ? list_program(draw)
                               : text_program(draw);
  sample.subject = ran.text;
  if (!draw.fits("code", sample.subject)) return false;
  add_user(sample, draw.say("{What does this program print?|What is the output?|Run this "
                            "program:|What is printed?}\n\n$text",
                            {{"text", ran.text}}));
  add_answer(sample, ran.steps.empty() ? ran.output : ran.steps + "It prints: " + ran.output);
  if (ran.steps.empty())
    grade_as(sample, Check::exact);
  else
    grade_as(sample, Check::conclusion, {ran.output});
  return true;
}

bool write_function(Draw& draw, Sample& sample) {
  std::string_view verb = draw.one(verbs());
  while (verb == "pass" || verb == "try" || verb == "break")  // Python's own words
    verb = draw.one(verbs());
  const std::string name = draw.say("{f|g|h|calc|change|$word}", {{"word", verb}});
  const int a = draw.between(2, 30), b = draw.between(1, 30);
  std::string spec, body;
  switch (draw.below(7)) {
    case 0:
      spec = fmt::format("gives x plus {}", a);
      body = fmt::format("(x):\n    return x + {}", a);
      break;
    case 1:
      spec = fmt::format("gives x times {} plus {}", a, b);
      body = fmt::format("(x):\n    return x * {} + {}", a, b);
      break;
    case 2:
      spec = draw.say("gives the {sum|difference|product} of x and y");
      body = fmt::format("(x, y):\n    return x {} y", spec.find("sum") != spec.npos    ? '+'
                                                       : spec.find("diff") != spec.npos ? '-'
                                                                                        : '*');
      break;
    case 3:
      spec = draw.say("gives the {larger|smaller} of x and y");
      body = fmt::format("(x, y):\n    return {}(x, y)",
                         spec.find("larger") != spec.npos ? "max" : "min");
      break;
    case 4:
      spec = fmt::format("says whether x is larger than {}", a);
      body = fmt::format("(x):\n    return x > {}", a);
      break;
    case 5:
      spec = fmt::format("gives x when it is larger than {}, and {} otherwise", a, b);
      body = fmt::format("(x):\n    if x > {}:\n        return x\n    return {}", a, b);
      break;
    default:
      spec = draw.say(
          "gives the {number of items|sum of the items|largest item|smallest item} of a list");
      body = fmt::format("(items):\n    return {}(items)", spec.find("number") != spec.npos ? "len"
                                                           : spec.find("sum") != spec.npos  ? "sum"
                                                           : spec.find("largest") != spec.npos
                                                               ? "max"
                                                               : "min");
  }
  sample.subject = name + spec;
  if (!draw.fits("code", sample.subject)) return false;
  add_user(sample, draw.say("{Write a function $name that $spec.|Write Python: a function $name "
                            "that $spec.|I need a function called $name. It $spec.}",
                            {{"name", name}, {"spec", spec}}));
  add_answer(sample, "def " + name + body);
  grade_as(sample, Check::exact);
  return true;
}

}  // namespace

bool make_code(Draw& draw, Sample& sample) {
  return draw.chance(0.7) ? predict(draw, sample) : write_function(draw, sample);
}

}  // namespace herd::world
