// SPDX-License-Identifier: MIT
// Throws what catches.cc catches, from another library than that.
#include <stdexcept>
#include <string>

struct Special : std::runtime_error {
    int number;
    Special(int n) : std::runtime_error("special " + std::to_string(n)), number(n) {}
};

struct Counted {
    static thread_local int alive;
    Counted() { alive++; }
    ~Counted() { alive--; }
};
thread_local int Counted::alive = 0;

extern "C" int alive() {
    return Counted::alive;
}

extern "C" void throw_special(int depth) {
    Counted here;
    if (depth == 0)
        throw Special(42);
    throw_special(depth - 1);
}

void call_back(void (*f)()) {
    Counted here;
    f();
}
