"""The official Anthropic client against a server: HERD_URL, HERD_KEY. Each check names the rules of spec/api.md 2.7."""

import json
import os

import anthropic

URL = os.environ["HERD_URL"]
client = anthropic.Anthropic(base_url=URL, api_key=os.environ["HERD_KEY"], max_retries=0)
# Newer clients have no argument for it; the surface still has.
COLD = {"extra_body": {"temperature": 0}}
HELLO = [{"role": "user", "content": "Hello"}]


def check_message():
    """A: a message, its usage and why it ended."""
    answer = client.messages.create(
        model="cria", max_tokens=8, messages=HELLO, system=[{"type": "text", "text": "Be brief."}], **COLD)
    assert answer.type == "message" and answer.role == "assistant"
    assert answer.content[0].type == "text" and answer.content[0].text
    assert answer.stop_reason in ("end_turn", "max_tokens") and answer.usage.output_tokens > 0
    assert answer._request_id.startswith("req_")


def check_stream():
    """A1 A2 A4 A5: the events in their order; together they are the message."""
    asked = {"model": "cria", "max_tokens": 12, "messages": HELLO, **COLD}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    assert message.content[0].text == whole.content[0].text
    assert message.stop_reason == whole.stop_reason
    assert message.usage.output_tokens == whole.usage.output_tokens
    raw = [event.type for event in client.messages.create(**asked, stream=True)]
    assert raw[0] == "message_start" and raw[-2:] == ["message_delta", "message_stop"]
    assert raw[1] == "content_block_start" and raw[-3] == "content_block_stop"
    assert set(raw) <= set(kinds) | {"ping"}


def check_stop_and_prefill():
    """A: stop_sequences, and a last message of the assistant that is continued."""
    whole = client.messages.create(model="cria", max_tokens=12, messages=HELLO, **COLD).content[0].text
    stop = whole[3:5]
    stopped = client.messages.create(
        model="cria", max_tokens=12, messages=HELLO, stop_sequences=[stop], **COLD)
    assert stopped.stop_reason == "stop_sequence" and stopped.stop_sequence == stop
    assert stopped.content[0].text == whole[:whole.index(stop)]
    prefilled = client.messages.create(
        model="cria", max_tokens=12, messages=[*HELLO, {"role": "assistant", "content": "The"}], **COLD)
    assert prefilled.usage.input_tokens + prefilled.usage.cache_read_input_tokens > 0


def check_tools():
    """A3: with tools; results of tools in the history."""
    tools = [{"name": "add_note", "description": "Writes a note down.", "input_schema": {
        "type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}]
    messages = [
        {"role": "user", "content": "Write down a note: milk."},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_1", "name": "add_note", "input": {"text": "milk"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"},
                                     {"type": "text", "text": "And bread."}]}]
    asked = {"model": "cria", "max_tokens": 60, "tools": tools, "messages": messages, **COLD}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    assert [block.type for block in streamed.content] == [block.type for block in whole.content]
    assert (whole.stop_reason == "tool_use") == any(block.type == "tool_use" for block in whole.content)


def check_tool_choice():
    """A(tool_choice, strict, output_config): calls that must come, come, and none where none may; documents."""
    schema = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 12}, "stars": {"enum": [1, 2]}},
              "required": ["text", "stars"], "additionalProperties": False}
    tools = [{"name": "add_note", "input_schema": schema, "strict": True},
             {"name": "list_notes", "input_schema": {"type": "object", "additionalProperties": False}}]
    asked = {"model": "cria", "max_tokens": 200, "tools": tools,
             "messages": [{"role": "user", "content": "Note: milk."}]}
    for choice in ({"type": "any", "disable_parallel_tool_use": True}, {"type": "tool", "name": "add_note"}):
        with client.messages.stream(**asked, tool_choice=choice) as stream:
            message = stream.get_final_message()
        assert message.stop_reason == "tool_use" and [block.type for block in message.content] == ["tool_use"], message
        block = message.content[0]
        assert block.name == "add_note" or choice["type"] == "any"
        if block.name == "add_note":
            assert set(block.input) == {"text", "stars"} and block.input["stars"] in (1, 2)
        else:
            assert block.input == {}
    said = client.messages.create(**asked, tool_choice={"type": "none"})
    assert all(block.type == "text" for block in said.content)
    formed = client.messages.create(
        model="cria", max_tokens=200, messages=asked["messages"],
        extra_body={"output_config": {"format": {"type": "json_schema", "schema": schema}}})
    assert json.loads(formed.content[0].text)["stars"] in (1, 2)


def check_count_tokens():
    """A: count_tokens says what the message then costs."""
    counted = client.messages.count_tokens(model="cria", messages=HELLO).input_tokens
    usage = client.messages.create(model="cria", max_tokens=1, messages=HELLO).usage
    assert counted == usage.input_tokens + usage.cache_read_input_tokens


def check_errors():
    """A(errors): in this surface's own shape."""
    def expect(kind, call, name):
        try:
            call()
        except kind as error:
            assert error.body["type"] == "error" and error.body["error"]["type"] == name, error.body
            assert error.request_id.startswith("req_")
            return
        raise AssertionError(f"{kind.__name__} was wanted")

    create = client.messages.create
    expect(anthropic.BadRequestError, lambda: create(model="cria", max_tokens=5, messages=[]), "invalid_request_error")
    expect(anthropic.NotFoundError, lambda: create(model="claude", max_tokens=5, messages=HELLO), "not_found_error")
    stranger = anthropic.Anthropic(base_url=URL, api_key="hk_00000000_" + "0" * 64, max_retries=0)
    expect(anthropic.AuthenticationError,
           lambda: stranger.messages.create(model="cria", max_tokens=5, messages=HELLO), "authentication_error")


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            check()
            print("ok", name, "-", check.__doc__)
