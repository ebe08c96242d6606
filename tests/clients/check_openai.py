"""The official OpenAI client against a server: HERD_URL, HERD_KEY. Checks name the rules of spec/api.md they prove."""

import base64
import enum
import json
import os
import re

import openai
import pydantic

URL = os.environ["HERD_URL"]
client = openai.OpenAI(base_url=URL + "/v1", api_key=os.environ["HERD_KEY"], max_retries=0)
HELLO = [{"role": "user", "content": "Hello"}]


def check_chat():
    """T1 T2 R1 R2 C: an answer, its usage and its request id."""
    answer = client.chat.completions.create(
        model="cria", messages=[{"role": "developer", "content": "Be brief."}, *HELLO], max_completion_tokens=8,
        temperature=0, n=2, seed=3, user="u", metadata={"a": "b"})
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].message.content and answer.choices[0].message.refusal is None
    assert answer.choices[0].message.content == answer.choices[1].message.content  # temperature 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id.startswith("req_")
    assert answer.system_fingerprint.startswith("fp_")


def check_stream():
    """S1 S2 S3 S4 S5 S8 T7: the stream says what the whole answer says."""
    asked = {"model": "cria", "messages": HELLO, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    with client.chat.completions.stream(**asked) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == said


def check_logprobs():
    """R4: bytes of all tokens are the answer's; as many alternatives as asked for."""
    answer = client.chat.completions.create(
        model="cria", messages=HELLO, max_tokens=8, temperature=0, logprobs=True, top_logprobs=2)
    listed = answer.choices[0].logprobs.content
    assert bytes(byte for token in listed for byte in token.bytes).decode() == answer.choices[0].message.content
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in listed)


def check_tools():
    """S7 S8 S14 R3 C(tools): the client's own accumulator takes a stream with tools, whether the model calls or not."""
    tools = [{"type": "function", "function": {
        "name": "add_note", "description": "Writes a note down.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}}]
    # Asked so, cria calls whatever tool there is; an answer that is cut off is an error to this client.
    messages = [{"role": "user", "content": "How old is Ines?"}]
    asked = {"model": "cria", "messages": messages, "tools": tools, "temperature": 0, "max_tokens": 200}
    whole = client.chat.completions.create(**asked).choices[0]
    with client.chat.completions.stream(**asked) as stream:
        for _ in stream:
            pass
        streamed = stream.get_final_completion().choices[0]
    assert streamed.finish_reason == whole.finish_reason
    calls = [(call.function.name, call.function.arguments) for call in whole.message.tool_calls or []]
    assert calls == [(call.function.name, call.function.arguments) for call in streamed.message.tool_calls or []]
    assert (whole.finish_reason == "tool_calls") == bool(calls)
    # A history with calls and their results is understood whatever the model does with it.
    history = [*messages, {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "add_note", "arguments": '{"text": "milk"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"}]
    answer = client.chat.completions.create(model="cria", messages=history, tools=tools, max_tokens=20)
    assert answer.choices[0].finish_reason in ("stop", "length", "tool_calls")


class Note(pydantic.BaseModel):
    """What the client's own helpers make a strict schema of."""

    class Kind(enum.Enum):
        shopping = "shopping"
        work = "work"

    text: str = pydantic.Field(max_length=20)
    kind: Kind
    stars: int = pydantic.Field(ge=1, le=5)
    due: str | None
    parts: list["Note.Part"]

    class Part(pydantic.BaseModel):
        name: str = pydantic.Field(max_length=8)
        amount: float


Note.model_rebuild()


class Memo(pydantic.BaseModel):
    """A form that ends by itself, whoever fills it in."""

    text: str = pydantic.Field(max_length=20)
    kind: Note.Kind


def check_parse():
    """C(response_format) S9: the client's parse() gets objects of its model, whole and as a stream."""
    for seed in range(4):
        asked = {"model": "cria", "messages": HELLO, "max_tokens": 400, "seed": seed, "temperature": 1.0}
        try:
            parsed = client.chat.completions.parse(**asked, response_format=Note, n=2)
        except openai.LengthFinishReasonError:
            continue  # a long list; said by name
        assert all(isinstance(choice.message.parsed, Note) for choice in parsed.choices)
        with client.chat.completions.stream(**asked, response_format=Note) as stream:
            for _ in stream:
                pass
            assert stream.get_final_completion().choices[0].message.parsed == parsed.choices[0].message.parsed
        return
    raise AssertionError("four answers in a row did not come to their end")


def check_forms():
    """C(response_format): JSON objects; C(unknown keys): what other servers taught clients to send."""
    chat = client.chat.completions.create
    asked = {"model": "cria", "messages": HELLO, "max_tokens": 200, "seed": 1}
    said = chat(**asked, response_format={"type": "json_object"}).choices[0]
    assert said.finish_reason == "length" or isinstance(json.loads(said.message.content), dict)
    choice = chat(**asked, extra_body={"guided_choice": ["yes", "no"]}).choices[0].message.content
    assert choice in ("yes", "no")
    month = chat(**asked, extra_body={"guided_regex": r"\d{4}-\d\d"}).choices[0].message.content
    assert re.fullmatch(r"\d{4}-\d\d", month)
    error = expect(openai.BadRequestError, lambda: chat(**asked, response_format={
        "type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": {
            "type": "object", "properties": {"x": {"not": {}}}}}}), "invalid_schema")
    assert error.param == "response_format.json_schema.schema.properties.x.not"
    expect(openai.UnprocessableEntityError, lambda: chat(**asked, extra_body={"guided_regex": "((a{999}){999}){999}"}),
           "schema_too_complex")


def check_strict_tools():
    """C(tool_choice, parallel_tool_calls, strict) R2: calls that must come, come, with the arguments they must have."""
    tools = [openai.pydantic_function_tool(Memo, name="add_note"),
             {"type": "function", "function": {"name": "list_notes"}}]
    asked = {"model": "cria", "messages": [{"role": "user", "content": "Write down a note: milk."}], "max_tokens": 400}
    nothing = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    strict = [tools[0], {"type": "function",
                         "function": {"name": "list_notes", "strict": True, "parameters": nothing}}]
    named = {"type": "function", "function": {"name": "list_notes"}}
    for choice, offered, name in (("required", strict[:1], "add_note"), (named, strict, "list_notes")):
        came = 0
        for seed in range(4):
            try:
                answer = client.chat.completions.parse(
                    **asked, tools=offered, tool_choice=choice, parallel_tool_calls=False, seed=seed,
                    temperature=0.5).choices[0]
            except openai.LengthFinishReasonError:
                continue  # a long list; said by name
            came += 1
            assert answer.finish_reason == "tool_calls" and len(answer.message.tool_calls) == 1
            call = answer.message.tool_calls[0].function
            assert call.name == name
            assert name != "add_note" or isinstance(call.parsed_arguments, Memo)
        assert came > 0, "no call came to its end"
    none = client.chat.completions.create(**asked, tools=tools, tool_choice="none").choices[0]
    assert not none.message.tool_calls


def check_pictures():
    """C(parts): a picture as a data URL."""
    png = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5E"
        "rkJggg==")
    url = "data:image/png;base64," + base64.b64encode(png).decode()
    answer = client.chat.completions.create(model="cria", max_tokens=5, messages=[{"role": "user", "content": [
        {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]}])
    assert answer.usage.prompt_tokens > 20


def check_completions():
    """E1: several prompts, echo with logprobs, streams."""
    answer = client.completions.create(
        model="cria", prompt=["Once upon", "The cat"], max_tokens=3, temperature=0, n=2, echo=True, logprobs=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.choices[2].text.startswith("The cat")
    logprobs = answer.choices[0].logprobs
    assert logprobs.token_logprobs[0] is None and all(x <= 0 for x in logprobs.token_logprobs[1:])
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.text_offset)
    text, places = answer.choices[0].text, list(zip(logprobs.tokens, logprobs.text_offset))[1:]
    if answer.choices[0].finish_reason == "stop":  # the token that ends an answer is counted and not shown
        token, offset = places.pop()
        assert token.startswith("<|") and offset == len(text), (token, offset)
    for token, offset in places:
        assert text[offset:].startswith(token), (token, offset)
    asked = {"model": "cria", "prompt": "Once upon", "max_tokens": 6, "temperature": 0}
    streamed = "".join(chunk.choices[0].text for chunk in client.completions.create(**asked, stream=True))
    assert streamed == client.completions.create(**asked).choices[0].text
    ids = client.completions.create(model="cria", prompt=[5, 6, 7], max_tokens=0, echo=True, logprobs=0)
    assert len(ids.choices[0].logprobs.tokens) == 3 and ids.usage.completion_tokens == 0


def check_models():
    """E3: the list, one by its id, and none."""
    assert [model.id for model in client.models.list()] == ["cria"]
    assert client.models.retrieve("cria").id == "cria"
    expect(openai.NotFoundError, lambda: client.models.retrieve("a/b"), "model_not_found")


def check_errors():
    """T3 T4: statuses become the client's own exceptions, with code and param."""
    chat = client.chat.completions.create
    error = expect(openai.BadRequestError, lambda: chat(model="cria", messages=HELLO, temperature=3), "out_of_range")
    assert error.param == "temperature" and error.request_id.startswith("req_")
    expect(openai.NotFoundError, lambda: chat(model="gpt-5", messages=HELLO), "model_not_found")
    expect(openai.BadRequestError, lambda: chat(model="cria", messages=HELLO, extra_body={"tempratur": 1}),
           "unknown_parameter")
    stranger = openai.OpenAI(base_url=URL + "/v1", api_key="hk_00000000_" + "0" * 64, max_retries=0)
    expect(openai.AuthenticationError, stranger.models.list, "invalid_api_key")


def expect(kind, call, code):
    try:
        call()
    except kind as error:
        assert error.code == code, error
        return error
    raise AssertionError(f"{kind.__name__} with {code} was wanted")


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            check()
            print("ok", name, "-", check.__doc__)
