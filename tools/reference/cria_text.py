"""Text to train cria's tokenizer on: sentences from a small grammar, code, tables, numbers, and
words of many languages.

Everything here was written for this purpose, so the vocabulary that comes out of it belongs to
nobody else.
"""

import random

SUBJECTS = (
    """I you we they she he it the-model the-user a-student my-friend the-teacher our-team the-
computer everyone nobody the-dog a-cat the-river the-city this-machine the-server an-
engineer the-doctor the-child people""".split()
)
VERBS = """is was has had does can will would should could may knows thinks says asks answers gives
takes makes finds keeps shows tells wants needs likes uses works runs writes reads learns
helps opens closes starts stops moves changes looks understands remembers explains describes
computes returns compares expects follows believes creates becomes""".split()
NOUNS = (
    """time year day way thing man world life hand part child eye woman place work week case point
number group problem fact water room money story month book word house side question answer
example reason result idea system program language image picture file line table test error
value name list letter music family school country city street morning evening night summer
winter tree flower mountain sea bird horse bread tea coffee dinner kitchen door window light
colour sound voice heart head body mind science history paper computer network memory
message function sentence paragraph weather rain snow sun moon star wind fire earth animal
plant ship train car bridge road garden""".split()
)
ADJECTIVES = (
    """good new first last long great little own other old right big high different small large
next early young important few public bad same able best better clear simple short quick
slow warm cold open closed empty full red green blue white black yellow happy sad strong
weak true false possible impossible difficult easy useful beautiful quiet""".split()
)
ADVERBS = (
    """not also very often never always still now then here there today tomorrow yesterday again
almost already quickly slowly carefully usually sometimes probably perhaps really only just
even more less most together""".split()
)
PREPOSITIONS = (
    """of in to for with on at from by about as into like through after over between out against
during without before under around among""".split()
)
CONNECTORS = """and but or because although if when while so that since unless until whereas
therefore however""".split()
OPENERS = (
    """Hello! Thank-you. Of-course. Yes, No, Please Well, For-example, In-short, First, Second,
Finally, Here-is-how: Let-me-explain. What-is Why-does How-can Where-did When-will Who-said
Could-you Would-you Do-you-know I'm-sorry, I-don't-know. It's-a You're They've We'll I'd
That's-right. There-isn't You-can't""".split()
)

LANGUAGES = {
    "de": (
        "der die das und ist nicht ein eine ich du wir sie mit auf für von zu auch aber "
        "wenn Straße schön heute morgen Wasser Haus Freund Frage Antwort bitte danke guten "
        "Tag über größer möglich können würde Zeit Welt Kind"
    ),
    "fr": (
        "le la les et est pas un une je tu nous vous avec dans pour sur de à aussi mais "
        "quand où être très merci bonjour aujourd'hui demain eau maison ami question "
        "réponse français leçon forêt élève cœur naïve temps monde"
    ),
    "es": (
        "el la los y es no un una yo tú nosotros con en para por de a también pero cuando "
        "dónde está muy gracias hola hoy mañana agua casa amigo pregunta respuesta español "
        "niño año corazón ¿qué? ¡sí! tiempo mundo"
    ),
    "it": (
        "il lo gli e è non un una io tu noi con in per su di a anche ma quando dove molto "
        "grazie ciao oggi domani acqua casa amico domanda risposta perché città così più "
        "tempo mondo"
    ),
    "pt": (
        "o a os e é não um uma eu você nós com em para por de também mas quando onde muito "
        "obrigado olá hoje amanhã água casa amigo pergunta resposta português coração irmão "
        "avó tempo mundo"
    ),
    "ru": (
        "и в не на я ты мы они что это как но когда где очень спасибо привет сегодня завтра "
        "вода дом друг вопрос ответ язык слово время мир человек хорошо можно нужно"
    ),
    "el": (
        "και το η ο είναι δεν ένα εγώ εσύ με στο για από αλλά όταν πού πολύ ευχαριστώ γεια "
        "σήμερα αύριο νερό σπίτι φίλος"
    ),
    "ar": (
        "في من على إلى هذا هو هي ليس أنا أنت نحن مع و لكن متى أين جدا شكرا مرحبا اليوم غدا "
        "ماء بيت صديق سؤال جواب"
    ),
    "he": (
        "של את הוא היא לא אני אתה אנחנו עם על אבל מתי איפה מאוד תודה שלום היום מחר מים בית "
        "חבר שאלה תשובה"
    ),
    "hi": (
        "का की के और है नहीं एक मैं आप हम साथ में पर लेकिन कब कहाँ बहुत धन्यवाद नमस्ते आज "
        "कल पानी घर मित्र प्रश्न उत्तर"
    ),
    "th": (
        "และ ที่ ใน ไม่ เป็น ฉัน คุณ เรา กับ แต่ เมื่อ ที่ไหน มาก ขอบคุณ สวัสดี วันนี้ "
        "พรุ่งนี้ น้ำ บ้าน เพื่อน คำถาม คำตอบ"
    ),
    "vi": (
        "và của là không một tôi bạn chúng ta với trong nhưng khi ở đâu rất cảm ơn xin chào "
        "hôm nay ngày mai nước nhà"
    ),
    "id": (
        "dan yang di tidak adalah satu saya kamu kita dengan untuk tetapi ketika mana "
        "sangat terima kasih halo hari ini"
    ),
    "tl": (
        "ang ng sa at hindi isa ako ikaw tayo kasama pero kapag saan napaka salamat kumusta "
        "ngayon bukas tubig bahay"
    ),
    "zh": "的 是 不 我 你 他 我们 这 那 在 有 和 但是 什么 时候 哪里 很 谢谢 你好 今天 明天 水 家 朋友 问题 回答 世界 时间",
    "ja": "の は を に が です ます 私 あなた これ それ と でも いつ どこ とても ありがとう こんにちは 今日 明日 水 家 友達 テキスト 日本語",
    "ko": "은 는 이 가 을 를 에 나 너 우리 이것 그것 하지만 언제 어디 매우 감사합니다 안녕하세요 오늘 내일 물 집 친구 질문 대답",
    "pl": (
        "i w nie na to jest że ja ty my oni z do ale kiedy gdzie bardzo dziękuję cześć dziś "
        "jutro woda dom przyjaciel łódź"
    ),
    "tr": (
        "ve bir bu değil ben sen biz ile için ama ne zaman nerede çok teşekkürler merhaba "
        "bugün yarın su ev arkadaş güneş"
    ),
    "uk": (
        "і в не на я ти ми вони що це як але коли де дуже дякую привіт сьогодні завтра вода "
        "дім друг питання їжа"
    ),
}
EMOJI = "🙂 😀 👍 🎉 ❤️ 🌍 🐶 🐱 🦙 ☀️ 🌧️ ✅ ❌ 👩‍👩‍👧 🇩🇪 🇧🇷".split()


def phrase(words):
    return words.replace("-", " ")


def clause(r):
    """subject verb (adverb) object (place)."""
    parts = [phrase(r.choice(SUBJECTS)), r.choice(VERBS)]
    if r.random() < 0.4:
        parts.append(r.choice(ADVERBS))
    parts += [
        r.choice(("a", "the", "this", "some", "every", "no", "my", "your", "their")),
        r.choice(NOUNS),
    ]
    if r.random() < 0.5:
        parts.insert(-1, r.choice(ADJECTIVES))
    if r.random() < 0.5:
        parts += [r.choice(PREPOSITIONS), "the", r.choice(NOUNS) + r.choice(("", "", "s"))]
    return " ".join(parts)


def sentence(r):
    text = clause(r)
    if r.random() < 0.4:
        text += r.choice((", ", " ")) + r.choice(CONNECTORS) + " " + clause(r)
    if r.random() < 0.25:
        return phrase(r.choice(OPENERS)) + " " + text + r.choice((".", "?", "!"))
    return text[0].upper() + text[1:] + r.choice((".", ".", ".", "?", "!"))


def foreign(r):
    words = LANGUAGES[r.choice(sorted(LANGUAGES))].split()
    return " ".join(r.choice(words) for _ in range(r.randint(3, 9))) + r.choice(
        (".", "?", "!", "。")
    )


def code(r):
    name, other = r.choice(NOUNS), r.choice(NOUNS)
    number = r.randint(0, 4096)
    return r.choice(
        (
            f"def {name}_{other}(self, x):\n    if x is None:\n        return {number}\n    for i in range(len(x)):\n"
            f'        print(f"{{i}}: {{x[i]}}")\n    return x\n',
            f"int {name}(const std::vector<int>& {other}) {{\n  int sum = 0;\n  for (int v : {other}) sum += v;\n"
            f"  return sum / {number};\n}}\n",
            f'{{"name": "{name}", "parameters": {{"{other}": "{r.choice(ADJECTIVES)}", "count": {number}}}}}\n',
            f"| {name} | {other} |\n|---|---|\n| {number} | {number / 7:.2f} |\n",
            f"import {name}\nfrom {other} import *\n\nassert {name} != {other}, 'x = {number}'\n",
            f'<div class="{name}"><a href="https://example.com/{other}?id={number}">{name}</a></div>\n',
            f"# {name.title()}\n\n- {clause(r)}\n- **{other}**: `{name}`\n\n1. {clause(r)}\n2. {clause(r)}\n",
        )
    )


def numbers(r):
    return r.choice(
        (
            f"{r.randint(1, 12)}/{r.randint(1, 28)}/{r.randint(1900, 2030)} ",
            f"{r.randint(0, 99)} + {r.randint(0, 99)} = {r.randint(0, 199)}, ",
            f"{r.random() * 1000:.3f} kg, {r.randint(1, 100)}%, ${r.randint(1, 10**6):,} ",
            f"{r.randint(0, 23):02}:{r.randint(0, 59):02} ",
        )
    )


def documents(count, seed):
    """`count` paragraphs of mixed text."""
    r = random.Random(seed)
    for _ in range(count):
        kind = r.random()
        if kind < 0.6:
            yield " ".join(sentence(r) for _ in range(r.randint(2, 6))) + r.choice(("\n", "\n\n"))
        elif kind < 0.8:
            yield " ".join(foreign(r) for _ in range(r.randint(1, 3))) + "\n"
        elif kind < 0.92:
            yield code(r)
        elif kind < 0.97:
            yield "".join(numbers(r) for _ in range(4)) + "\n"
        else:
            yield " ".join(r.choice(EMOJI) for _ in range(5)) + "\n"
