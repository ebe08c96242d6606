"""Writes tests/data/chat/: conversations and what the published chat templates make of them.

The templates are not ours to commit. Put them into .cache/templates/ (their SHA-256 is checked),
from examples/ of vllm-project/vllm:
  llama4_release.jinja    tool_chat_template_llama4_json.jinja at c0d4a465; the same text as the
                          release template in Hugging Face's converter
  llama4_json.jinja       the same file at 97ce4234
  llama4_vllm_json.jinja  the same file on main since 05e1fbfc5 (#16428)
  llama4_pythonic.jinja   tool_chat_template_llama4_pythonic.jinja on main since c91fe7b1b (#17917)
models/cria brings a fifth of our own, the release format in other code. They are rendered by
transformers' own function. The wording of a template stands once in texts.json and as ⟦name⟧ in the
prompts. Messages are written as the OpenAI surface has them;
`for_template` makes of them what servers hand to templates (arguments as objects, pictures as
{"type": "image"}).
"""

import copy
import hashlib
import json
import pathlib
import sys

import corpus
import jinja2
from jinja2 import nodes
from tokenizers import Tokenizer
from transformers.utils.chat_template_utils import render_jinja_template

ROOT = corpus.ROOT
TEMPLATES = ROOT / ".cache/templates"
TARGET = ROOT / "tests/data/chat"
HASHES = {
    "release": "f30445c2f01243b128675a75a343ddab8c92f580e1da74c990f69e16cfc3d0d1",
    "json": "81e6c3daf0e37b03c0f85bbbfb9b7a1dc95b5c786ecebd503b78835d293ce467",
    "vllm_json": "c5d275e741705515099acdfb4c313e7e9e30ac6e06afc4f7f6d1182f6e3eb56d",
    "pythonic": "3fe950790d033a6ee07a563fb6ad7c34e40f860b8ff99333b0b0aed6204ba258",
}


def load_templates():
    out = {}
    for name, wanted in HASHES.items():
        path = TEMPLATES / f"llama4_{name}.jinja"
        if not path.exists():
            sys.exit(f"{path} is missing; the head of {__file__} says where it comes from")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != wanted:
            sys.exit(f"{path}: SHA-256 {found}, wanted {wanted}")
        out[name] = path.read_text()
    out["cria"] = json.loads((ROOT / "models/cria/tokenizer_config.json").read_text())["chat_template"]
    return out


# ---- the wording of a template, read from jinja's own syntax tree ----


def constant(node):
    """The text of a literal, of literals side by side, or None."""
    if isinstance(node, nodes.TemplateData):
        return node.data
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return node.value
    return None


def printed(node):
    """The literals that an output begins with."""
    out = ""
    for item in node.nodes if isinstance(node, nodes.Output) else []:
        if constant(item) is None:
            break
        out += constant(item)
    return out


def bodies(node):
    for name in ("body", "else_"):
        body = getattr(node, name, None)
        if body:
            yield body
    for child in node.iter_child_nodes():
        yield from bodies(child)


def before_tools(tree):
    """What is printed directly before every `for t in tools`."""
    for body in bodies(tree):
        for i, node in enumerate(body):
            if isinstance(node, nodes.For) and getattr(node.iter, "name", "") == "tools":
                text, k = "", i - 1
                while k >= 0 and isinstance(body[k], nodes.Output):
                    for item in reversed(body[k].nodes):
                        literal = constant(item)
                        if literal is None or "<|" in literal:
                            k = -1
                            break
                        text = literal + text
                    k -= 1
                yield text


def assigned(tree, name):
    for node in tree.find_all(nodes.Assign):
        if getattr(node.target, "name", "") == name:
            inside = [c.value for c in node.node.find_all(nodes.Const) if isinstance(c.value, str)]
            yield "".join(inside) or constant(node.node) or ""


def texts_of(version, source):
    tree = jinja2.Environment(trim_blocks=True, lstrip_blocks=True,
                              extensions=["jinja2.ext.loopcontrols"]).parse(source)
    texts = dict.fromkeys(["environment", "tools_in_system", "tools_in_user", "default_system",
                           "tools_after"], "")
    if version in ("release", "json", "cria"):
        texts["tools_in_system"], texts["tools_in_user"] = before_tools(tree)
        for node in tree.find_all(nodes.If):
            if printed(node.body[0]).startswith("Environment"):
                texts["environment"] = printed(node.body[0])
    elif version == "vllm_json":
        texts["tools_in_user"] = next(assigned(tree, "tool_lib_preamble"))
        systems = [t for t in assigned(tree, "system_message") if len(t) > 60]
        texts["default_system"] = systems[0].removeprefix("content")
    else:
        texts["default_system"] = [t for t in assigned(tree, "system_message") if len(t) > 60][0]
        for node in tree.find_all(nodes.If):
            if printed(node.body[0]).startswith("\nHere is a list"):
                texts["tools_in_system"] = printed(node.body[0])
        texts["tools_after"] = ""  # nothing is printed behind the definitions
    return texts


# ---- the conversations; what templates lose and herd does not is in src/text/chat_test.cc ----

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather for a place; \"now\" or later. <b>bold</b> & 'quotes' "
        "\u2014 caf\u00e9 \U0001f326\ufe0f",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "a\\b\tc\nd"},
                "days": {"type": "integer", "minimum": 0, "default": 3},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
ADD = {"name": "add", "parameters": {"type": "object", "properties": {}, "required": []}, "x": [],
       "y": {}, "z": None}
NUMBERS = {
    "name": "numbers",
    "parameters": {
        "default": [0, -1, 2**53, -(2**63), 2**64 - 1, 0.1, -2.5, 1e16, 1e15, 123456.789, 1e-4,
                    1e-5, 1.5e300, 5e-324, 1.0, -0.0],
        "deep": {"a": [[1, [2]], {"b": {"c": []}}]},
    },
}
NESTED = {
    "text": "it's \"so\"",
    "list": [1, 2.5, "a'b", None, True, ["x", {}], "\u00e9\u200b\n\\\U0001f642\u0085"],
    "dict": {"k": False, "it's": "q\"", "both": "'\""},
    "none": None,
    "true": True,
    "big": 1e22,
    "small": 1.5e-7,
}


def user(content):
    return {"role": "user", "content": content}


def system(content):
    return {"role": "system", "content": content}


def assistant(content, *calls):
    message = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = list(calls)
    return message


def call(name, arguments, as_text=True):
    return {
        "id": "call_1",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments) if as_text else arguments},
    }


def tool(content):
    return {"role": "tool", "tool_call_id": "call_1", "content": content}


def text(value):
    return {"type": "text", "text": value}


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
HF_IMAGE = {"type": "image"}
PARIS = call("get_weather", {"city": "Paris", "days": 2})

CASES = {
    "one question": {"messages": [user("Hello")]},
    "no generation prompt": {"messages": [user("Hello"), assistant("Hi.")],
                             "add_generation_prompt": False},
    "system": {"messages": [system("You are a helpful assistant"), user("Hi")]},
    "system is trimmed": {"messages": [system(" \n\tBe brief.\u00a0\u3000\x1f\n "), user("Hi")]},
    "system list": {"messages": [system([text("  Be brief. ")]), user("Hi")]},
    "later system": {"messages": [user("a"), system(" not trimmed "), user("b")]},
    "two systems": {"messages": [system("first"), system(" second "), user("b")]},
    "several turns": {"messages": [user("a"), assistant("b"), user("c"), assistant("d"),
                                   user("e")]},
    "user twice": {"messages": [user("a"), user("b")]},
    "empty texts": {"messages": [user(""), assistant(""), user("")]},
    "white space kept": {"messages": [user("  a \n\n"), assistant("\n\n b\t"), user("\n")]},
    "newlines first": {"messages": [user("\n\nafter the header"), assistant(" x")]},
    "unicode": {"messages": [system("Ответь по-русски \U0001f1f7\U0001f1fa"),
                             user("日本語 \U0001f468\u200d\U0001f469\u200d\U0001f467 naïve \u0301 مرحبا")]},
    "code": {"messages": [user("```python\nif x < 1 and y > 2 or \"&\" != '&amp;':\n"
                               "\tpass\n```\r\n")]},
    "braces": {"messages": [user("{{ bos_token }} {% if %} {# no #} %s %d")]},
    "text list": {"messages": [user([text("one "), text(" two")]), assistant([text(" three ")])]},
    "empty list": {"messages": [user([]), assistant([])]},
    "image": {"messages": [user([IMAGE, text("What is this?")])]},
    "image after text": {"messages": [user([text(" Look: "), HF_IMAGE, text(" and "), IMAGE,
                                            text("\n?")])]},
    "images alone": {"messages": [user([IMAGE, IMAGE]), assistant("Two."), user([HF_IMAGE])]},
    "images with system": {"messages": [system("See."), user([text("a"), IMAGE]), assistant("b"),
                                        user("c")]},
    "tools": {"messages": [user("  Weather in Paris? \n")], "tools": [WEATHER]},
    "tools with system": {"messages": [system(" Be brief. "), user("Weather?")],
                          "tools": [WEATHER, ADD]},
    "tools in system": {"messages": [system("Be brief."), user("Hi ")], "tools": [WEATHER, ADD],
                        "tools_in_user_message": False},
    "tools in system, list": {"messages": [system([text("Be brief. ")]), user([text(" Hi "), IMAGE])],
                              "tools": [ADD], "tools_in_user_message": False},
    "numbers in tools": {"messages": [user("1")], "tools": [NUMBERS]},
    "no tools in the list": {"messages": [system("x"), user("Hi")], "tools": []},
    "call": {"messages": [user("Weather in Paris?"), assistant("", PARIS)], "tools": [WEATHER]},
    "call without tools": {"messages": [user("Weather?"), assistant("", PARIS), tool("sunny")]},
    "call and text": {"messages": [user("Weather?"), assistant(" Let me see. ", PARIS),
                                   tool("sunny")], "tools": [WEATHER]},
    "call and list": {"messages": [user("Weather?"),
                                   assistant([text(" Let me "), text(" see. ")], PARIS),
                                   tool("sunny")], "tools": [WEATHER]},
    "two calls": {"messages": [user("?"), assistant("", PARIS, call("add", {"a": 1, "b": -2.0}))],
                  "tools": [WEATHER, ADD]},
    "call without arguments": {"messages": [user("?"), assistant("", call("now", {}))],
                               "tools": [ADD]},
    "nested arguments": {"messages": [user("?"), assistant("", call("f", NESTED, False))],
                         "tools": [ADD]},
    "arguments as text": {"messages": [user("?"), assistant("", call("f", NESTED))],
                          "tools": [ADD]},
    "result": {"messages": [user("?"), assistant("", PARIS),
                            tool("{\"temp\": 21.5, \"sky\": \"clear\"}")], "tools": [WEATHER]},
    "result with quotes": {"messages": [user("?"), assistant("", PARIS),
                                        tool(" say \"hi\" \\ \n\t\x01 caf\u00e9 </b> ")]},
    "result list": {"messages": [user("?"), assistant("", PARIS),
                                 tool([text(" a "), text("b\n")])]},
    "results twice": {"messages": [user("?"), assistant("", PARIS, PARIS), tool("one"), tool("two"),
                                   assistant("Done."), user("ok")], "tools": [WEATHER]},
    "ipython role": {"messages": [user("?"), assistant("", PARIS),
                                  {"role": "ipython", "content": "ok"}]},
    "whole round": {
        "messages": [system("Help."), user("Weather?"), assistant("", PARIS), tool("sunny, 21"),
                     assistant("It is sunny."), user("Thanks!")],
        "tools": [WEATHER, ADD, NUMBERS],
    },
}


def for_template(messages):
    out = []
    for message in copy.deepcopy(messages):
        for item in message.get("tool_calls", []):
            if isinstance(item["function"]["arguments"], str):
                item["function"]["arguments"] = json.loads(item["function"]["arguments"])
        if isinstance(message["content"], list):
            message["content"] = [
                {"type": "image"} if "image" in p["type"] else p for p in message["content"]
            ]
        out.append(message)
    return out


def render(source, case):
    options = {k: v for k, v in case.items() if k == "tools_in_user_message"}
    rendered, _ = render_jinja_template(
        conversations=[for_template(case["messages"])],
        tools=case.get("tools"),
        chat_template=source,
        add_generation_prompt=case.get("add_generation_prompt", True),
        bos_token="<|begin_of_text|>",
        **options,
    )
    return rendered[0]


def main():
    templates = load_templates()
    tokenizer = Tokenizer.from_file(str(corpus.DATA / "tokenizer.json"))
    TARGET.mkdir(parents=True, exist_ok=True)
    texts = {version: texts_of(version, source) for version, source in templates.items()}
    (TARGET / "texts.json").write_text(json.dumps(texts, indent=1, ensure_ascii=False) + "\n")
    cases = []
    for name, case in CASES.items():
        expected, ids = {}, {}
        for version, source in templates.items():
            prompt = render(source, case)
            ids[version] = corpus.hash_of(tokenizer.encode(prompt, add_special_tokens=False).ids)
            for key, value in texts[version].items():
                if value:
                    prompt = prompt.replace(value, f"⟦{key}⟧")
            expected[version] = prompt
        cases.append({"name": name, **case, "expected": expected, "ids": ids})
    (TARGET / "conversations.json").write_text(json.dumps(cases, indent=1,
                                                          ensure_ascii=False) + "\n")
    print(f"{len(cases)} conversations, {sum(len(c['expected']) for c in cases)} prompts")


if __name__ == "__main__":
    main()
