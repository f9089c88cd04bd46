"""Renders templates with Jinja2, set up as Hugging Face's transformers does for chat templates.

One case per line on standard input: {"template": text, "variables": {...}, "clock": seconds}; one answer per line on standard output:
{"text": text} or {"error": kind and message}. The clock stands still. The generation block writes its body and nothing else.
"""
import datetime
import json
import resource
import signal
import sys

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2024, 7, 6, 9, 5, 7)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_written"), [], [], body).set_lineno(line)

    def _written(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = lambda format: NOW.strftime(format)
compiled = {}


class TooSlow(BaseException):
    pass


def too_slow(*_):
    raise TooSlow()


def answer(case):
    try:
        signal.setitimer(signal.ITIMER_REAL, 2)
        text = case["template"]
        if text not in compiled:
            if len(compiled) > 200:
                compiled.clear()
            compiled[text] = environment.from_string(text)
        return {"text": compiled[text].render(**case["variables"])}
    except TooSlow:
        return {"error": "too slow"}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main():
    signal.signal(signal.SIGALRM, too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    sys.set_int_max_str_digits(4300)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


main()
