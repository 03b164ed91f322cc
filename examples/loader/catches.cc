// SPDX-License-Identifier: MIT
// Exceptions through libraries, in threads, out of a library that was opened; thread_local objects whose destructors run at a thread's end.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define CHECK(c) ((c) ? (void)0 : (std::printf("line %d: %s\n", __LINE__, #c), std::exit(1)))

struct Special : std::runtime_error {
    int number;
    Special(int n);
};
extern "C" void throw_special(int depth);
extern "C" int alive();
void call_back(void (*f)());

static std::atomic<int> destroyed;
struct Local {
    std::string text = "local";
    ~Local() { destroyed++; }
};
static thread_local Local local;

static void catches() {
    for (int i = 0; i < 50; i++) {
        try {
            throw_special(i);
            CHECK(false);
        } catch (const std::runtime_error &e) {
            CHECK(std::string(e.what()) == "special 42");
        }
        CHECK(alive() == 0);
        try {
            call_back([] { throw std::string("through"); });
            CHECK(false);
        } catch (const std::string &s) {
            CHECK(s == "through");
        }
        CHECK(alive() == 0);
    }
    local.text += "!";
}

int main(int, char **argv) {
    catches();
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++)
        threads.emplace_back(catches);
    for (auto &t : threads)
        t.join();
    CHECK(destroyed == 8);
    std::exception_ptr kept;
    std::thread([&] {
        try {
            throw_special(3);
        } catch (...) {
            kept = std::current_exception();
        }
    }).join();
    try {
        std::rethrow_exception(kept);
    } catch (const std::exception &e) {
        CHECK(std::string(e.what()) == "special 42");
    }
    void *again = dlmopen(LM_ID_BASE, argv[1], RTLD_NOW);
    CHECK(again);
    auto f = reinterpret_cast<void (*)(int)>(dlsym(again, "throw_special"));
    try {
        f(2);
        CHECK(false);
    } catch (...) {
    }
    CHECK(alive() == 0);
}
