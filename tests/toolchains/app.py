"""Functions of a contract; what a module remembers tells whether its instance is reused."""

import wit_world.exports

calls = 0


class Greeter(wit_world.exports.Greeter):
    def greet(self, name: str) -> str:
        return f"Hello, {name}!"

    def calls(self) -> int:
        global calls
        calls += 1
        return calls
