#include "world/words.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/check.h"

namespace herd::world {
namespace {

constexpr Gender she = Gender::she, he = Gender::he;

constexpr auto person_list = std::to_array<Person>({
    {"Anna", she},   {"Tom", he},    {"Mia", she},   {"Ben", he},   {"Lily", she},  {"Max", he},
    {"Emma", she},   {"Sam", he},    {"Lucy", she},  {"Leo", he},   {"Sara", she},  {"Jack", he},
    {"Nina", she},   {"Paul", he},   {"Ella", she},  {"Tim", he},   {"Rosa", she},  {"Adam", he},
    {"Ivy", she},    {"Oscar", he},  {"Clara", she}, {"Hugo", he},  {"Grace", she}, {"Felix", he},
    {"Zoe", she},    {"Peter", he},  {"Ruth", she},  {"David", he}, {"Eva", she},   {"Finn", he},
    {"Alice", she},  {"Noah", he},   {"Kate", she},  {"Omar", he},  {"Maya", she},  {"Luke", he},
    {"Nora", she},   {"Jonas", he},  {"Lena", she},  {"Erik", he},  {"Amy", she},   {"Carl", he},
    {"Vera", she},   {"Simon", he},  {"Olga", she},  {"Ravi", he},  {"Asha", she},  {"Ali", he},
    {"Yuki", she},   {"Kenji", he},  {"Lola", she},  {"Marco", he}, {"Elif", she},  {"Ivan", he},
    {"Fatima", she}, {"Jamal", he},  {"Greta", she}, {"Otto", he},  {"Helen", she}, {"Victor", he},
    {"Dora", she},   {"Gus", he},    {"Wendy", she}, {"Bruno", he}, {"Paula", she}, {"Henry", he},
    {"Julia", she},  {"Martin", he}, {"Tina", she},  {"Owen", he},  {"Molly", she}, {"Dean", he},
    {"Stella", she}, {"Pablo", he},  {"Ines", she},  {"Karim", he}, {"Heidi", she}, {"Rex", he},
    {"Sofia", she},  {"Nils", he},
});

constexpr auto object_list = std::to_array<std::string_view>({
    "ball",   "book",     "key",      "cup",     "pen",         "lamp",       "hat",    "coin",
    "map",    "kite",     "drum",     "doll",    "ring",        "rope",       "shell",  "stone",
    "spoon",  "bottle",   "clock",    "mirror",  "brush",       "candle",     "card",   "flag",
    "letter", "ticket",   "umbrella", "camera",  "radio",       "phone",      "watch",  "knife",
    "fork",   "plate",    "bowl",     "pan",     "pot",         "jar",        "mug",    "glass",
    "towel",  "pillow",   "blanket",  "soap",    "comb",        "hammer",     "nail",   "saw",
    "ladder", "bucket",   "broom",    "needle",  "button",      "ribbon",     "string", "paper",
    "pencil", "crayon",   "ruler",    "eraser",  "notebook",    "stamp",      "magnet", "marble",
    "puzzle", "robot",    "puppet",   "whistle", "bell",        "mask",       "crown",  "feather",
    "leaf",   "stick",    "flower",   "basket",  "net",         "lens",       "torch",  "compass",
    "wheel",  "chain",    "hook",     "belt",    "purse",       "wallet",     "photo",  "picture",
    "poster", "magazine", "diary",    "scarf",   "glove",       "sock",       "shoe",   "boot",
    "coat",   "toy",      "block",    "dice",    "chess piece", "paintbrush", "sponge", "fan",
    "tray",   "vase",     "teapot",   "whisk",   "anchor",      "shovel",     "rake",
});

constexpr auto food_list = std::to_array<std::string_view>({
    "apple",  "pear",     "banana", "orange",   "lemon",    "plum",    "peach",   "cherry", "grape",
    "melon",  "carrot",   "potato", "tomato",   "onion",    "pepper",  "bean",    "pea",    "egg",
    "cookie", "cake",     "pie",    "sandwich", "pancake",  "biscuit", "muffin",  "pizza",  "roll",
    "bun",    "nut",      "olive",  "mushroom", "cucumber", "pumpkin", "turnip",  "radish", "berry",
    "fig",    "date",     "mango",  "kiwi",     "coconut",  "waffle",  "sausage", "burger", "taco",
    "noodle", "dumpling", "sweet",  "pretzel",  "apricot",
});

constexpr auto animal_list = std::to_array<std::string_view>({
    "cat",      "dog",      "horse",    "cow",     "pig",       "sheep",  "goat",   "hen",
    "duck",     "goose",    "rabbit",   "mouse",   "rat",       "fox",    "wolf",   "bear",
    "lion",     "tiger",    "elephant", "monkey",  "giraffe",   "zebra",  "camel",  "kangaroo",
    "deer",     "frog",     "toad",     "snake",   "lizard",    "turtle", "fish",   "shark",
    "whale",    "dolphin",  "seal",     "penguin", "owl",       "eagle",  "parrot", "crow",
    "swan",     "bee",      "ant",      "spider",  "butterfly", "snail",  "worm",   "crab",
    "hedgehog", "squirrel", "otter",    "beaver",  "badger",    "bat",    "donkey", "llama",
    "panda",    "koala",    "peacock",  "pigeon",
});

constexpr auto place_list = std::to_array<std::string_view>({
    "park",       "garden",  "kitchen", "school",   "shop",   "market",     "library", "beach",
    "forest",     "river",   "lake",    "hill",     "farm",   "barn",       "station", "museum",
    "zoo",        "bakery",  "bank",    "hospital", "office", "hotel",      "castle",  "tower",
    "bridge",     "village", "town",    "harbour",  "island", "cave",       "field",   "meadow",
    "playground", "stadium", "theatre", "cinema",   "church", "cabin",      "tent",    "workshop",
    "factory",    "studio",  "gym",     "pool",     "cafe",   "restaurant", "airport", "square",
    "street",     "yard",
});

constexpr auto container_list = std::to_array<std::string_view>({
    "box",
    "bag",
    "drawer",
    "basket",
    "chest",
    "cupboard",
    "suitcase",
    "backpack",
    "tin",
    "crate",
    "pocket",
    "sack",
});

constexpr auto room_list = std::to_array<std::string_view>({
    "kitchen",
    "bedroom",
    "bathroom",
    "hall",
    "cellar",
    "attic",
    "garage",
    "living room",
    "dining room",
    "balcony",
    "pantry",
    "study",
});

constexpr auto job_list = std::to_array<std::string_view>({
    "teacher",   "doctor",   "nurse",  "baker",  "farmer",   "driver",    "pilot",
    "cook",      "painter",  "singer", "dancer", "writer",   "actor",     "builder",
    "plumber",   "gardener", "fisher", "sailor", "soldier",  "judge",     "clerk",
    "tailor",    "butcher",  "barber", "miner",  "guard",    "guide",     "engineer",
    "scientist", "student",  "artist", "waiter", "mechanic", "carpenter", "dentist",
});

constexpr auto good_feelings = std::to_array<std::string_view>({
    "happy",
    "glad",
    "proud",
    "calm",
    "excited",
    "cheerful",
    "pleased",
    "grateful",
    "brave",
    "hopeful",
    "relaxed",
    "joyful",
});
constexpr auto bad_feelings = std::to_array<std::string_view>({
    "sad",
    "angry",
    "afraid",
    "tired",
    "lonely",
    "worried",
    "bored",
    "hungry",
    "jealous",
    "nervous",
    "upset",
    "cross",
});

constexpr auto adjective_list = std::to_array<std::string_view>({
    "big",     "small",   "old",     "new",    "long",   "short",  "tall",   "low",       "high",
    "wide",    "narrow",  "thick",   "thin",   "heavy",  "light",  "hard",   "soft",      "hot",
    "cold",    "warm",    "cool",    "wet",    "dry",    "clean",  "dirty",  "fast",      "slow",
    "loud",    "quiet",   "bright",  "dark",   "sharp",  "blunt",  "smooth", "rough",     "round",
    "flat",    "deep",    "shallow", "full",   "empty",  "strong", "weak",   "rich",      "poor",
    "cheap",   "costly",  "fresh",   "stale",  "sweet",  "sour",   "bitter", "salty",     "good",
    "bad",     "nice",    "kind",    "rude",   "early",  "late",   "young",  "tiny",      "huge",
    "pretty",  "plain",   "shiny",   "dull",   "broken", "whole",  "open",   "closed",    "simple",
    "strange", "funny",   "gentle",  "wild",   "tame",   "busy",   "lazy",   "clever",    "silly",
    "honest",  "careful", "famous",  "secret", "wooden", "golden", "safe",   "dangerous", "true",
    "false",   "ripe",    "raw",     "tidy",   "fancy",  "lucky",  "hidden", "lost",      "ready",
    "steep",
});

constexpr auto colour_list = std::to_array<std::string_view>({
    "red",
    "green",
    "blue",
    "yellow",
    "orange",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "grey",
});

constexpr auto noun_list = std::to_array<std::string_view>({
    "advice",    "alarm",     "album",     "alley",       "almond",      "angel",     "angle",
    "ankle",     "aunt",      "autumn",    "balance",     "ballet",      "balloon",   "bandage",
    "banner",    "barrel",    "battle",    "beak",        "beam",        "beard",     "birthday",
    "blade",     "blossom",   "boss",      "bottom",      "bracelet",    "breakfast", "breeze",
    "bride",     "bubble",    "bug",       "bull",        "bunch",       "cabbage",   "calendar",
    "calf",      "canal",     "candy",     "canoe",       "canvas",      "carriage",  "cart",
    "ceiling",   "celery",    "chapter",   "charm",       "cheek",       "chimney",   "chin",
    "chocolate", "choir",     "claw",      "client",      "cliff",       "clown",     "coach",
    "cocoa",     "coffee",    "collar",    "column",      "comet",       "comic",     "concert",
    "corridor",  "couch",     "couple",    "cottage",     "court",       "creek",     "crew",
    "crop",      "crumb",     "cube",      "curve",       "cushion",     "customer",  "dawn",
    "deck",      "desert",    "dessert",   "diamond",     "dictionary",  "doorbell",  "dragon",
    "driveway",  "drummer",   "duckling",  "echo",        "emperor",     "envelope",  "escape",
    "fairy",     "fabric",    "farmyard",  "fever",       "fiddle",      "flame",     "flock",
    "fog",       "folder",    "footprint", "forehead",    "fountain",    "frame",     "freezer",
    "frost",     "funnel",    "furniture", "garlic",      "ghost",       "giant",     "ginger",
    "globe",     "glue",      "goal",      "grandmother", "grandfather", "gravel",    "gum",
    "hallway",   "handle",    "hammock",   "hay",         "headlamp",    "heel",      "hive",
    "hood",      "hoof",      "horizon",   "hut",         "icicle",      "inn",       "insect",
    "jelly",     "jungle",    "kettle",    "kid",         "kingdom",     "knight",    "lamb",
    "lantern",   "lawn",      "lemonade",  "lettuce",     "limb",        "loaf",      "log",
    "luggage",   "lunchbox",  "maple",     "marsh",       "mattress",    "maze",      "medicine",
    "metre",     "mill",      "mint",      "mist",        "mole",        "moth",      "motor",
    "mule",      "muscle",    "mustard",   "napkin",      "niece",       "nephew",    "oat",
    "oasis",     "orchard",   "ornament",  "oyster",      "paddle",      "palm",      "parade",
    "parcel",    "passenger", "paste",     "patch",       "pavement",    "paw",       "pearl",
    "pebble",    "pedal",     "petal",     "pirate",      "pitch",       "plank",     "platform",
    "plough",    "poet",      "porch",     "porridge",    "postcard",    "potter",    "princess",
    "printer",   "pump",      "puddle",    "pupil",       "puppy",       "pyramid",   "quarter",
    "quilt",     "raft",      "railway",   "rainbow",     "raincoat",    "raisin",    "ranch",
    "recipe",    "reef",      "rhyme",     "riddle",      "rug",         "salad",     "sandal",
    "scale",     "scissors",  "screen",    "screw",       "shelter",     "shepherd",  "shield",
    "shower",    "signal",    "skate",     "sketch",      "sleeve",      "slipper",   "slope",
    "soil",      "spark",     "spear",     "spice",       "spiral",      "spot",      "stable",
    "stage",     "stair",     "statue",    "stem",        "stool",       "stove",     "strawberry",
    "stream",    "stripe",    "suburb",    "suit",        "sunrise",     "sunset",    "swamp",
    "sword",     "syrup",     "tale",      "target",      "teaspoon",    "temple",    "thief",
    "throat",    "tile",      "timber",    "toast",       "tractor",     "trail",     "treasure",
    "trick",     "trousers",  "trunk",     "tube",        "tunnel",      "twig",      "twin",
    "vegetable", "veil",      "vine",      "violet",      "visitor",     "voyage",    "wage",
    "waist",     "warehouse", "waterfall", "weed",        "wheat",       "whisker",   "wick",
    "widow",     "wizard",    "worker",    "wound",       "wrist",       "yarn",      "youth",
    "air",       "answer",    "area",      "army",        "art",         "back",      "baby",
    "bar",       "base",      "bed",       "bench",       "bill",        "bird",      "birth",
    "board",     "boat",      "body",      "bone",        "border",      "boy",       "branch",
    "bread",     "breath",    "brick",     "brother",     "bush",        "butter",    "cage",
    "call",      "camp",      "captain",   "carpet",      "cause",       "cell",      "cent",
    "chair",     "chance",    "change",    "cheese",      "child",       "circle",    "city",
    "class",     "cloth",     "cloud",     "club",        "coal",        "coast",     "colour",
    "company",   "copy",      "corn",      "corner",      "cost",        "cotton",    "country",
    "course",    "cousin",    "cover",     "cream",       "crowd",       "cry",       "curtain",
    "dance",     "daughter",  "day",       "death",       "debt",        "desk",      "dinner",
    "dirt",      "dish",      "distance",  "door",        "dream",       "dress",     "drink",
    "drop",      "dust",      "earth",     "east",        "edge",        "end",       "engine",
    "error",     "evening",   "event",     "example",     "fact",        "fall",      "family",
    "farm",      "father",    "fear",      "fence",       "fire",        "floor",     "flour",
    "food",      "foot",      "friend",    "fruit",       "game",        "gate",      "gift",
    "girl",      "gold",      "grass",     "ground",      "group",       "guest",     "hair",
    "half",      "harvest",   "heart",     "heat",        "help",        "hole",      "holiday",
    "home",      "honey",     "hope",      "hour",        "house",       "ice",       "idea",
    "inch",      "ink",       "iron",      "jam",         "jewel",       "job",       "joke",
    "journey",   "juice",     "jump",      "king",        "kiss",        "kitten",    "knot",
    "land",      "language",  "laugh",     "law",         "lead",        "lesson",    "level",
    "lid",       "life",      "line",      "lip",         "list",        "lock",      "love",
    "lunch",     "machine",   "man",       "mark",        "master",      "match",     "meal",
    "meat",      "medal",     "meeting",   "memory",      "message",     "metal",     "mile",
    "milk",      "mind",      "minute",    "mistake",     "money",       "moon",      "morning",
    "mother",    "mountain",  "movie",     "mud",         "music",       "name",      "nation",
    "neighbour", "nest",      "news",      "night",       "noise",       "north",     "note",
    "number",    "ocean",     "oil",       "order",       "oven",        "owner",     "page",
    "pain",      "pair",      "palace",    "parent",      "part",        "party",     "path",
    "peace",     "people",    "person",    "pet",         "piece",       "pile",      "pin",
    "pipe",      "plan",      "planet",    "plant",       "player",      "poem",      "point",
    "pond",      "post",      "powder",    "power",       "price",       "prince",    "prize",
    "problem",   "queen",     "question",  "race",        "rail",        "reason",    "record",
    "rest",      "rice",      "road",      "rock",        "roof",        "room",      "root",
    "rule",      "sail",      "salt",      "sand",        "scene",       "school",    "science",
    "sea",       "season",    "seat",      "seed",        "shade",       "shadow",    "shape",
    "shelf",     "ship",      "shirt",     "shore",       "side",        "sign",      "silver",
    "sister",    "size",      "skin",      "sky",         "sleep",       "smell",     "smile",
    "smoke",     "snow",      "son",       "song",        "soup",        "south",     "space",
    "speed",     "spring",    "star",      "start",       "state",       "steam",     "step",
    "storm",     "story",     "sugar",     "summer",      "sun",         "surprise",  "table",
    "tail",      "tea",       "team",      "test",        "thing",       "thread",    "thumb",
    "time",      "tin",       "title",     "tool",        "top",         "touch",     "track",
    "trade",     "trip",      "trouble",   "uncle",       "unit",        "valley",    "value",
    "view",      "visit",     "voice",     "walk",        "wall",        "war",       "water",
    "wave",      "wax",       "way",       "week",        "weight",      "west",      "window",
    "wing",      "winter",    "wire",      "woman",       "wood",        "wool",      "word",
    "work",      "world",     "year",      "zero",
});

constexpr auto verb_list = std::to_array<std::string_view>({
    "add",     "agree",   "aim",     "allow",  "ask",     "bake",   "bark",    "bathe",  "beg",
    "begin",   "bend",    "bite",    "blow",   "boil",    "borrow", "bounce",  "bow",    "break",
    "breathe", "bring",   "build",   "burn",   "buy",     "carry",  "catch",   "chase",  "check",
    "cheer",   "choose",  "chop",    "clap",   "climb",   "close",  "collect", "come",   "cook",
    "cough",   "count",   "crawl",   "cross",  "cut",     "dance",  "dig",     "dive",   "draw",
    "drive",   "eat",     "enjoy",   "enter",  "explain", "fail",   "feed",    "feel",   "fetch",
    "fight",   "fill",    "find",    "finish", "fix",     "float",  "fly",     "fold",   "follow",
    "forget",  "forgive", "freeze",  "gather", "give",    "glow",   "grow",    "guess",  "hang",
    "hear",    "hide",    "hit",     "hold",   "hop",     "hug",    "hunt",    "hurry",  "invite",
    "join",    "juggle",  "keep",    "kick",   "knit",    "knock",  "know",    "learn",  "leave",
    "lend",    "lift",    "listen",  "live",   "look",    "lose",   "make",    "march",  "measure",
    "meet",    "melt",    "mend",    "mix",    "move",    "need",   "nod",     "obey",   "offer",
    "pack",    "paint",   "pass",    "pay",    "peel",    "pick",   "play",    "point",  "pour",
    "pray",    "press",   "promise", "pull",   "push",    "reach",  "read",    "repair", "reply",
    "ride",    "ring",    "rise",    "roll",   "row",     "rub",    "run",     "save",   "say",
    "search",  "see",     "sell",    "send",   "sew",     "shake",  "share",   "shine",  "shout",
    "show",    "shut",    "sing",    "sink",   "sit",     "skip",   "slide",   "smell",  "sneeze",
    "speak",   "spell",   "spend",   "spin",   "splash",  "stand",  "stay",    "steal",  "stir",
    "stop",    "study",   "swallow", "sweep",  "swim",    "swing",  "take",    "talk",   "taste",
    "teach",   "tear",    "tell",    "thank",  "think",   "throw",  "tie",     "touch",  "travel",
    "try",     "turn",    "twist",   "use",    "wait",    "wake",   "want",    "wash",   "wave",
    "wear",    "weigh",   "whisper", "win",    "wipe",    "wish",   "wonder",  "wrap",   "write",
    "yawn",    "yell",
});

constexpr auto adverb_list = std::to_array<std::string_view>({
    "slowly",   "quickly", "quietly", "loudly",   "gently", "happily", "sadly", "carefully",
    "softly",   "proudly", "again",   "always",   "never",  "often",   "soon",  "today",
    "together", "outside", "inside",  "upstairs", "nearby", "twice",   "early", "suddenly",
});

constexpr auto clothes_list = std::to_array<std::string_view>({
    "hat",
    "cap",
    "scarf",
    "coat",
    "jacket",
    "shirt",
    "dress",
    "skirt",
    "sweater",
    "sock",
    "shoe",
    "boot",
    "glove",
    "belt",
    "tie",
    "vest",
    "robe",
    "apron",
});

constexpr auto body_list = std::to_array<std::string_view>({
    "head",  "face", "eye",    "ear",   "nose", "mouth", "tooth", "neck", "shoulder", "arm",
    "elbow", "hand", "finger", "chest", "back", "leg",   "knee",  "foot", "toe",      "hair",
});

constexpr auto month_list = std::to_array<std::string_view>({
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
});
constexpr auto weekday_list = std::to_array<std::string_view>({
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
});
constexpr auto weather_list = std::to_array<std::string_view>({
    "sunny",
    "rainy",
    "cloudy",
    "windy",
    "snowy",
    "foggy",
    "stormy",
    "warm",
    "cold",
    "hot",
});
constexpr auto material_list = std::to_array<std::string_view>({
    "wood",
    "stone",
    "iron",
    "gold",
    "silver",
    "glass",
    "paper",
    "cotton",
    "wool",
    "clay",
    "leather",
    "plastic",
    "steel",
    "silk",
    "copper",
});
constexpr auto vehicle_list = std::to_array<std::string_view>({
    "car",
    "bus",
    "train",
    "tram",
    "bicycle",
    "truck",
    "van",
    "boat",
    "ship",
    "plane",
    "rocket",
    "taxi",
    "sled",
    "ferry",
    "scooter",
});
constexpr auto plant_list = std::to_array<std::string_view>({
    "tree",
    "rose",
    "tulip",
    "daisy",
    "oak",
    "pine",
    "moss",
    "fern",
    "ivy",
    "lily",
    "cactus",
    "bamboo",
    "clover",
    "willow",
});
constexpr auto instrument_list = std::to_array<std::string_view>({
    "piano",
    "guitar",
    "violin",
    "flute",
    "trumpet",
    "harp",
    "cello",
    "organ",
    "banjo",
    "horn",
});
constexpr auto sport_list = std::to_array<std::string_view>({
    "football",
    "tennis",
    "hockey",
    "chess",
    "golf",
    "rugby",
    "cricket",
    "judo",
    "skiing",
    "rowing",
    "cycling",
    "boxing",
});

std::vector<std::string_view> collect_lexicon() {
  std::vector<std::string_view> all;
  for (const Words list :
       {objects(),  foods(),         animals(),      places(),     containers(), rooms(),
        jobs(),     feelings_good(), feelings_bad(), adjectives(), colours(),    nouns(),
        verbs(),    adverbs(),       clothes(),      body_parts(), weather(),    materials(),
        vehicles(), plants(),        instruments(),  sports()})
    for (const std::string_view word : list)
      if (word.find(' ') == std::string_view::npos) all.push_back(word);
  std::ranges::sort(all);
  const auto repeated = std::ranges::unique(all);
  all.erase(repeated.begin(), repeated.end());
  return all;
}

}  // namespace

std::span<const Person> people() { return person_list; }
Words objects() { return object_list; }
Words foods() { return food_list; }
Words animals() { return animal_list; }
Words places() { return place_list; }
Words containers() { return container_list; }
Words rooms() { return room_list; }
Words jobs() { return job_list; }
Words feelings_good() { return good_feelings; }
Words feelings_bad() { return bad_feelings; }
Words adjectives() { return adjective_list; }
Words colours() { return colour_list; }
Words nouns() { return noun_list; }
Words verbs() { return verb_list; }
Words adverbs() { return adverb_list; }
Words clothes() { return clothes_list; }
Words body_parts() { return body_list; }
Words months() { return month_list; }
Words weekdays() { return weekday_list; }
Words weather() { return weather_list; }
Words materials() { return material_list; }
Words vehicles() { return vehicle_list; }
Words plants() { return plant_list; }
Words instruments() { return instrument_list; }
Words sports() { return sport_list; }

Words lexicon() {
  static const std::vector<std::string_view> all = collect_lexicon();  // a constant, made once
  return all;
}

std::string_view subject_of(Gender gender) { return gender == she ? "she" : "he"; }
std::string_view object_of(Gender gender) { return gender == she ? "her" : "him"; }
std::string_view possessive_of(Gender gender) { return gender == she ? "her" : "his"; }

std::string with_article(std::string_view noun) {
  const bool vowel =
      !noun.empty() && std::string_view("aeiou").find(noun[0]) != std::string_view::npos;
  const bool an = (vowel && !noun.starts_with("uni") && !noun.starts_with("use")) ||
                  noun.starts_with("hour") || noun.starts_with("honest");
  return std::string(an ? "an " : "a ") += noun;
}

std::string plural_of(std::string_view noun) {
  constexpr auto irregular = std::to_array<std::pair<std::string_view, std::string_view>>({
      {"mouse", "mice"},    {"goose", "geese"},    {"sheep", "sheep"},     {"deer", "deer"},
      {"fish", "fish"},     {"child", "children"}, {"man", "men"},         {"woman", "women"},
      {"foot", "feet"},     {"tooth", "teeth"},    {"wolf", "wolves"},     {"knife", "knives"},
      {"leaf", "leaves"},   {"shelf", "shelves"},  {"half", "halves"},     {"life", "lives"},
      {"scarf", "scarves"}, {"dice", "dice"},      {"potato", "potatoes"}, {"tomato", "tomatoes"},
      {"mango", "mangoes"}, {"person", "people"},  {"cactus", "cacti"},
  });
  for (const auto& [one, many] : irregular)
    if (one == noun) return std::string(many);
  std::string out(noun);
  const auto ends = [&](std::string_view tail) { return noun.ends_with(tail); };
  if (ends("s") || ends("x") || ends("ch") || ends("sh")) return out += "es";
  if (ends("y") && noun.size() > 1 &&
      std::string_view("aeiou").find(noun[noun.size() - 2]) == std::string_view::npos) {
    out.pop_back();
    return out += "ies";
  }
  return out += 's';
}

std::string capitalised(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z')
    out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

std::string upper_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

std::string number_word(int n) {
  constexpr auto small = std::to_array<std::string_view>(
      {"zero",     "one",     "two",     "three",     "four",     "five",    "six",
       "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
       "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"});
  constexpr auto tens = std::to_array<std::string_view>(
      {"", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"});
  HERD_CHECK(n >= 0 && n <= 9999, "number_word({})", n);
  const auto at = [](int i) { return static_cast<std::size_t>(i); };
  if (n < 20) return std::string(small[at(n)]);
  if (n < 100) {
    std::string out(tens[at(n / 10)]);
    return n % 10 == 0 ? out : (out += '-') += small[at(n % 10)];
  }
  const int unit = n < 1000 ? 100 : 1000;
  std::string out = number_word(n / unit) + (unit == 100 ? " hundred" : " thousand");
  if (n % unit == 0) return out;
  return out += (n % unit < 100 ? " and " : " ") + number_word(n % unit);
}

std::string joined(std::span<const std::string> items, std::string_view between,
                   std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += i + 1 == items.size() ? last : between;
    out += items[i];
  }
  return out;
}

std::vector<std::string> letters_of(std::string_view word) {
  std::vector<std::string> letters;
  for (const char c : word) letters.emplace_back(1, c);
  return letters;
}

std::string spelled(std::string_view word, std::string_view between) {
  return joined(letters_of(word), between, between);
}

std::string numbered(std::span<const std::string> items) {
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i)
    out += fmt::format("{}{} {}", i > 0 ? ", " : "", items[i], i + 1);
  return out;
}

}  // namespace herd::world
