// A little of nine other languages: greetings, numbers, colours and things, in their own scripts.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "world/draw.h"
#include "world/task_list.h"
#include "world/turns.h"
#include "world/words.h"

namespace herd::world {
namespace {

constexpr std::size_t word_count = 36;
constexpr std::array<std::string_view, word_count> english = {
    "hello", "thank you", "yes",    "no",    "goodbye", "good morning", "one",    "two", "three",
    "four",  "five",      "six",    "seven", "eight",   "nine",         "ten",    "red", "green",
    "blue",  "yellow",    "black",  "white", "water",   "bread",        "house",  "dog", "cat",
    "sun",   "book",      "friend", "milk",  "tree",    "mother",       "father", "day", "night"};
constexpr std::size_t first_number = 6, first_thing = 22;

struct Language {
  std::string_view name;
  std::array<std::string_view, word_count> words;
  std::string_view my_name;   // "My name is {}."
  std::string_view question;  // "What is your name?"
};

constexpr Language languages[] = {
    {"German",
     {"hallo",        "danke", "ja",     "nein",  "auf Wiedersehen",
      "guten Morgen", "eins",  "zwei",   "drei",  "vier",
      "fünf",         "sechs", "sieben", "acht",  "neun",
      "zehn",         "rot",   "grün",   "blau",  "gelb",
      "schwarz",      "weiß",  "Wasser", "Brot",  "Haus",
      "Hund",         "Katze", "Sonne",  "Buch",  "Freund",
      "Milch",        "Baum",  "Mutter", "Vater", "Tag",
      "Nacht"},
     "Ich heiße {}.",
     "Wie heißt du?"},
    {"French",
     {"bonjour", "merci", "oui",  "non",   "au revoir", "bonjour", "un",     "deux",  "trois",
      "quatre",  "cinq",  "six",  "sept",  "huit",      "neuf",    "dix",    "rouge", "vert",
      "bleu",    "jaune", "noir", "blanc", "eau",       "pain",    "maison", "chien", "chat",
      "soleil",  "livre", "ami",  "lait",  "arbre",     "mère",    "père",   "jour",  "nuit"},
     "Je m'appelle {}.",
     "Comment t'appelles-tu ?"},
    {"Spanish",
     {"hola",   "gracias",  "sí",    "no",     "adiós", "buenos días", "uno",   "dos",   "tres",
      "cuatro", "cinco",    "seis",  "siete",  "ocho",  "nueve",       "diez",  "rojo",  "verde",
      "azul",   "amarillo", "negro", "blanco", "agua",  "pan",         "casa",  "perro", "gato",
      "sol",    "libro",    "amigo", "leche",  "árbol", "madre",       "padre", "día",   "noche"},
     "Me llamo {}.",
     "¿Cómo te llamas?"},
    {"Italian",
     {"ciao",  "grazie",  "sì",     "no",     "arrivederci", "buongiorno", "uno",   "due",
      "tre",   "quattro", "cinque", "sei",    "sette",       "otto",       "nove",  "dieci",
      "rosso", "verde",   "blu",    "giallo", "nero",        "bianco",     "acqua", "pane",
      "casa",  "cane",    "gatto",  "sole",   "libro",       "amico",      "latte", "albero",
      "madre", "padre",   "giorno", "notte"},
     "Mi chiamo {}.",
     "Come ti chiami?"},
    {"Russian",
     {"привет",  "спасибо", "да",    "нет",    "до свидания", "доброе утро", "один",   "два",
      "три",     "четыре",  "пять",  "шесть",  "семь",        "восемь",      "девять", "десять",
      "красный", "зелёный", "синий", "жёлтый", "чёрный",      "белый",       "вода",   "хлеб",
      "дом",     "собака",  "кошка", "солнце", "книга",       "друг",        "молоко", "дерево",
      "мать",    "отец",    "день",  "ночь"},
     "Меня зовут {}.",
     "Как тебя зовут?"},
    {"Greek",
     {"γεια",    "ευχαριστώ", "ναι",   "όχι",     "αντίο",  "καλημέρα", "ένα",   "δύο",
      "τρία",    "τέσσερα",   "πέντε", "έξι",     "επτά",   "οκτώ",     "εννέα", "δέκα",
      "κόκκινο", "πράσινο",   "μπλε",  "κίτρινο", "μαύρο",  "άσπρο",    "νερό",  "ψωμί",
      "σπίτι",   "σκύλος",    "γάτα",  "ήλιος",   "βιβλίο", "φίλος",    "γάλα",  "δέντρο",
      "μητέρα",  "πατέρας",   "μέρα",  "νύχτα"},
     "Με λένε {}.",
     "Πώς σε λένε;"},
    {"Hindi",
     {"नमस्ते", "धन्यवाद", "हाँ",   "नहीं", "अलविदा", "सुप्रभात", "एक",   "दो",   "तीन",
      "चार",  "पाँच",    "छह",   "सात", "आठ",     "नौ",     "दस",   "लाल",  "हरा",
      "नीला", "पीला",   "काला", "सफ़ेद", "पानी",   "रोटी",   "घर",   "कुत्ता", "बिल्ली",
      "सूरज",  "किताब",  "दोस्त", "दूध",  "पेड़",     "माता",   "पिता", "दिन",  "रात"},
     "मेरा नाम {} है।",
     "तुम्हारा नाम क्या है?"},
    {"Arabic",
     {"مرحبا", "شكرا", "نعم",  "لا",   "وداعا",  "صباح الخير", "واحد", "اثنان", "ثلاثة",
      "أربعة", "خمسة", "ستة",  "سبعة", "ثمانية", "تسعة",       "عشرة", "أحمر",  "أخضر",
      "أزرق",  "أصفر", "أسود", "أبيض", "ماء",    "خبز",        "بيت",  "كلب",   "قطة",
      "شمس",   "كتاب", "صديق", "حليب", "شجرة",   "أم",         "أب",   "يوم",   "ليل"},
     "اسمي {}.",
     "ما اسمك؟"},
    {"Japanese",
     {"こんにちは", "ありがとう", "はい", "いいえ", "さようなら", "おはよう", "一", "二", "三",
      "四",         "五",         "六",   "七",     "八",         "九",       "十", "赤", "緑",
      "青",         "黄色",       "黒",   "白",     "水",         "パン",     "家", "犬", "猫",
      "太陽",       "本",         "友達", "牛乳",   "木",         "母",       "父", "日", "夜"},
     "私の名前は{}です。",
     "お名前は何ですか?"},
};

struct Asked {
  std::string question, answer;
  std::vector<std::string> accepted = {};
};

Asked to_other(Draw& draw, const Language& language) {
  const auto at = static_cast<std::size_t>(draw.below(static_cast<int>(word_count)));
  return {draw.say("{What is \"$word\" in $language?|How do you say \"$word\" in $language?|Say "
                   "\"$word\" in $language.|Translate into $language: $word}",
                   {{"word", english[at]}, {"language", language.name}}),
          std::string(language.words[at])};
}

// A word may stand for two English ones (bonjour): both are right.
Asked to_english(Draw& draw, const Language& language) {
  const auto at = static_cast<std::size_t>(draw.below(static_cast<int>(word_count)));
  Asked asked{draw.say("{What does the $language word \"$word\" mean?|What is \"$word\" in "
                       "English?|Translate into English: $word}",
                       {{"word", language.words[at]}, {"language", language.name}}),
              {}};
  for (std::size_t i = 0; i < word_count; ++i)
    if (language.words[i] == language.words[at]) asked.accepted.emplace_back(english[i]);
  asked.answer = asked.accepted[0];
  return asked;
}

Asked which_language(Draw& draw, const Language& language) {
  while (true) {
    const std::string_view word = draw.one(language.words);
    const auto has = [&](const Language& other) {
      return std::ranges::find(other.words, word) != other.words.end();
    };
    if (std::ranges::count_if(languages, has) > 1 ||
        std::ranges::find(english, word) != english.end())
      continue;
    return {draw.say("{Which language is \"$word\"?|In which language is \"$word\" written?}",
                     {{"word", word}}),
            std::string(language.name)};
  }
}

Asked count_to(Draw& draw, const Language& language) {
  const auto last = static_cast<std::size_t>(draw.between(2, 10));
  std::string list;
  for (std::size_t i = 0; i < last; ++i) {
    if (i > 0) list += ", ";
    list += language.words[first_number + i];
  }
  return {draw.say("{Count to $n in $language.|Count from one to $n in $language.}",
                   {{"n", number_word(static_cast<int>(last))}, {"language", language.name}}),
          list};
}

Asked list_of(Draw& draw, const Language& language) {
  std::string given, out;
  for (const int i :
       draw.different(draw.between(2, 4), static_cast<int>(word_count - first_thing))) {
    const auto at = first_thing + static_cast<std::size_t>(i);
    if (!given.empty()) given += ", ", out += ", ";
    given += english[at];
    out += language.words[at];
  }
  return {draw.say("{Translate into $language:|In $language, please:} $given",
                   {{"language", language.name}, {"given", given}}),
          out};
}

Asked introduce(Draw& draw, const Language& language) {
  const std::string_view name = draw.one(people()).name;
  if (draw.chance(0.5))
    return {
        draw.say(
            "{Say \"My name is $name\" in $language.|Translate into $language: My name is $name.}",
            {{"name", name}, {"language", language.name}}),
        fmt::format(fmt::runtime(language.my_name), name)};
  // In several forms: what a language asks in one form only would be either known by heart or never heard of.
  const std::size_t hello = draw.one({0u, 5u});  // hello, good morning
  return {draw.say("{|$hello! |$hello. |$hello, }$question{| Answer in $language.}",
                   {{"hello", language.words[hello]},
                    {"question", language.question},
                    {"language", language.name}}),
          fmt::format(fmt::runtime(language.my_name), "cria")};
}

}  // namespace

bool make_languages(Draw& draw, Sample& sample) {
  using Asker = Asked (*)(Draw&, const Language&);
  constexpr Asker askers[] = {to_other,       to_other, to_english, to_english,
                              which_language, count_to, list_of,    introduce};
  for (int turns = draw.between(1, 4); turns > 0; --turns) {
    const Language& language = draw.one(languages);
    Asked asked = draw.one(askers)(draw, language);
    sample.subject = asked.question;
    if (turns == 1 ? !draw.fits("languages", asked.question)
                   : !draw.may_use("languages", asked.question))
      return false;
    add_user(sample, asked.question);
    add_answer(sample, asked.answer);
    grade_as(sample, Check::one_of, std::move(asked.accepted));
  }
  return true;
}

}  // namespace herd::world
