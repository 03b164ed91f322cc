// SPDX-License-Identifier: MIT
// ptrace(2): who may trace whom, how that begins and ends, events, stops of all threads, and what others see of it.
#include "trace.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

static unsigned long message(pid_t pid) {
    unsigned long m = -1;
    CHECK(trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&m) == 0);
    return m;
}

static int stop_code(pid_t pid) {
    siginfo_t info;
    CHECK(trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info) == 0);
    return info.si_code;
}

static void seize(pid_t pid, unsigned long options) {
    CHECK(trace(PTRACE_SEIZE, pid, 0, options) == 0);
}

static int nothing(void) {
    return 0;
}

// ---- beginning

TEST(attach_stops_and_detach_lets_go) {
    char line[100];
    pid_t pid = sleeping_child();
    CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == SIGSTOP);
    status_line(pid, "TracerPid:", line);
    CHECK(atoi(line) == getpid());
    status_line(pid, "State:", line);
    CHECK(!strcmp(line, "t (tracing stop)\n"));
    CHECK_ERRNO(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
    CHECK_ERRNO(trace(PTRACE_DETACH, pid, 0, 65), EIO);
    CHECK(trace(PTRACE_DETACH, pid, 0, 0) == 0);
    CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
    wait_state(pid, 'S');
    status_line(pid, "TracerPid:", line);
    CHECK(atoi(line) == 0);
    CHECK(waitpid(pid, NULL, WNOHANG) == 0);
    end(pid);
}

TEST(detach_may_leave_a_signal) {
    pid_t pid = sleeping_child();
    CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == SIGSTOP);
    CHECK(trace(PTRACE_DETACH, pid, 0, SIGTERM) == 0);
    CHECK(wait_end(pid) == SIGTERM);
}

TEST(what_cannot_be_traced) {
    int status;
    pid_t pid = sleeping_child();
    CHECK_ERRNO(trace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
    CHECK_ERRNO(trace(PTRACE_ATTACH, 99999, 0, 0), ESRCH);
    CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
    CHECK_ERRNO(trace(12345, pid, 0, 0), ESRCH);
    CHECK_ERRNO(trace(PTRACE_SEIZE, pid, 1, 0), EIO);
    CHECK_ERRNO(trace(PTRACE_SEIZE, pid, 0, 1 << 30), EIO);
    if (!fork()) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERRNO(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
        CHECK_ERRNO(trace(PTRACE_SEIZE, pid, 0, 0), EPERM);
        CHECK(trace(PTRACE_TRACEME, 0, 0, 0) == 0);
        CHECK_ERRNO(trace(PTRACE_TRACEME, 0, 0, 0), EPERM);
        _exit(0);
    }
    CHECK(wait(&status) > 0 && status == 0);
    CHECK(kill(pid, SIGKILL) == 0);
    siginfo_t info;
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK_ERRNO(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
    CHECK(wait_end(pid) == SIGKILL);
}

TEST(a_stopped_process_is_attached_as_it_is) {
    pid_t pid = sleeping_child();
    CHECK(kill(pid, SIGTSTP) == 0);
    CHECK(waitpid(pid, NULL, WUNTRACED) == pid);
    CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
    int status;
    CHECK(waitpid(pid, &status, WNOHANG) == pid && WSTOPSIG(status) == SIGTSTP);
    CHECK_ERRNO(trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&status), EINVAL);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGSTOP);
    CHECK(trace(PTRACE_DETACH, pid, 0, 0) == 0);
    wait_state(pid, 'T'); // the stop goes on
    CHECK(kill(pid, SIGCONT) == 0);
    wait_state(pid, 'S');
    end(pid);
}

// ---- seize

TEST(seize_does_not_stop_and_interrupt_does) {
    pid_t pid = sleeping_child();
    seize(pid, 0);
    wait_state(pid, 'S');
    CHECK(waitpid(pid, NULL, WNOHANG | __WALL) == 0);
    CHECK_ERRNO(trace(PTRACE_GETEVENTMSG, pid, 0, 0), ESRCH);
    CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == EVENT(EVENT_STOP) && stop_code(pid) == EVENT(EVENT_STOP));
    go(pid, 0);
    wait_state(pid, 'S');
    CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0 && trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == EVENT(EVENT_STOP));
    CHECK(trace(PTRACE_LISTEN, pid, 0, 0) == 0);
    CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
    CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == EVENT(EVENT_STOP));
    end(pid);
    pid = traced_child(nothing, 0);
    CHECK_ERRNO(trace(PTRACE_INTERRUPT, pid, 0, 0), EIO);
    CHECK_ERRNO(trace(PTRACE_LISTEN, pid, 0, 0), EIO);
    end(pid);
}

TEST(a_stop_of_a_seized_process_and_its_end_are_seen) {
    pid_t pid = sleeping_child();
    seize(pid, 0);
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(wait_stop(pid) == SIGSTOP);
    go(pid, SIGSTOP);
    CHECK(wait_stop(pid) == (SIGSTOP | EVENT_STOP << 8));
    CHECK(trace(PTRACE_LISTEN, pid, 0, 0) == 0);
    CHECK(waitpid(pid, NULL, WNOHANG | __WALL) == 0);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(wait_stop(pid) == EVENT(EVENT_STOP));
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGCONT);
    go(pid, SIGCONT);
    int status;
    CHECK(waitpid(pid, &status, WCONTINUED | __WALL) == pid && WIFCONTINUED(status));
    end(pid);
}

TEST(a_stop_of_an_attached_process_has_no_siginfo) {
    siginfo_t info;
    pid_t pid = traced_child(nothing, 0);
    go(pid, SIGSTOP);
    CHECK(wait_stop(pid) == SIGSTOP);
    CHECK_ERRNO(trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info), EINVAL);
    CHECK(kill(pid, SIGCONT) == 0); // does not let it go on
    usleep(10000);
    CHECK(trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&info) == 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGCONT);
    go(pid, 0);
    CHECK(wait_end(pid) == 0);
}

// ---- events

static int makes_children(void) {
    int status;
    pid_t pid = fork();
    if (!pid)
        _exit(3);
    if (waitpid(pid, &status, 0) != pid || status != 3 << 8)
        return 1;
    pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0); // musl's vfork() is none
    if (!pid)
        _exit(4);
    return waitpid(pid, &status, 0) != pid || status != 4 << 8;
}

static void birth(pid_t pid, int event) {
    go(pid, 0);
    CHECK(wait_stop(pid) == EVENT(event) && stop_code(pid) == EVENT(event));
    pid_t child = (pid_t)message(pid);
    CHECK(wait_stop(child) == SIGSTOP);
    go(child, 0);
    if (event == PTRACE_EVENT_VFORK) {
        go(pid, 0);
        CHECK(wait_stop(pid) == EVENT(PTRACE_EVENT_VFORK_DONE) && (pid_t)message(pid) == child);
    }
    CHECK(wait_end(child) == (event == PTRACE_EVENT_VFORK ? 4 : 3) << 8);
}

TEST(births_are_events_and_children_are_traced) {
    pid_t pid = traced_child(makes_children, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                                 PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT);
    CHECK(trace(PTRACE_SETOPTIONS, pid, 0, 0x7f & ~PTRACE_O_TRACEEXIT) == 0);
    birth(pid, PTRACE_EVENT_FORK);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGCHLD);
    birth(pid, PTRACE_EVENT_VFORK);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGCHLD);
    CHECK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT) == 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == EVENT(PTRACE_EVENT_EXIT) && message(pid) == 0);
    go(pid, 0);
    CHECK(wait_end(pid) == 0);
    CHECK_ERRNO(trace(PTRACE_SETOPTIONS, pid, 0, 0), ESRCH);
}

// What this program does when a test executes it.
__attribute__((constructor)) static void as_another_program(void) {
    if (getenv("TRACING_NOTHING"))
        _exit(5);
    if (getenv("TRACING_UID"))
        _exit(geteuid() == 0 ? 1 : 2);
}

static int execute(const char *path, char *what) {
    char *argv[] = {"tracing", NULL}, *envp[] = {what, NULL};
    execve(path, argv, envp);
    return 9;
}

static int executes(void) {
    return execute("/proc/self/exe", "TRACING_NOTHING=1");
}

TEST(exec_is_an_event_or_a_trap) {
    pid_t pid = traced_child(executes, PTRACE_O_TRACEEXEC);
    go(pid, 0);
    CHECK(wait_stop(pid) == EVENT(PTRACE_EVENT_EXEC) && (pid_t)message(pid) == pid);
    go(pid, 0);
    CHECK(wait_end(pid) == 5 << 8);
    pid = traced_child(executes, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGTRAP && stop_code(pid) == SI_USER);
    go(pid, 0);
    CHECK(wait_end(pid) == 5 << 8);
    int p[2];
    char c;
    CHECK(pipe(p) == 0);
    if (!(pid = fork())) {
        (void)!read(p[0], &c, 1);
        _exit(executes());
    }
    seize(pid, 0); // and nothing at all
    CHECK(write(p[1], "x", 1) == 1);
    CHECK(wait_end(pid) == 5 << 8);
}

// ---- threads

static void *execs_alone(void *arg) {
    (void)arg;
    executes();
    return NULL;
}

static void *ends(void *arg) {
    return arg;
}

static int thread_executes(void) {
    pthread_t t;
    pthread_create(&t, NULL, execs_alone, NULL);
    return pause();
}

static int leader_ends_first(void) {
    pthread_t t;
    if (pthread_create(&t, NULL, ends, NULL) || pthread_join(t, NULL))
        return 1;
    syscall(SYS_exit, 6);
    return 1;
}

TEST(a_thread_is_born_and_its_end_is_waited_for) {
    pid_t pid = traced_child(leader_ends_first, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT);
    go(pid, 0);
    CHECK(wait_stop(pid) == EVENT(PTRACE_EVENT_CLONE));
    pid_t tid = (pid_t)message(pid);
    CHECK(wait_stop(tid) == SIGSTOP);
    CHECK(syscall(SYS_tgkill, pid, tid, 0) == 0);
    go(tid, 0);
    go(pid, 0);
    CHECK(wait_stop(tid) == EVENT(PTRACE_EVENT_EXIT) && message(tid) == 0);
    go(tid, 0);
    siginfo_t info;
    CHECK(waitid(P_PID, tid, &info, WEXITED | WNOWAIT | __WALL) == 0 && info.si_pid == tid &&
          info.si_code == CLD_EXITED);
    int status = wait_end(tid); // Linux says 6 once the leader has come to its end
    CHECK(status == 0 || status == 6 << 8);
    CHECK_ERRNO(waitpid(tid, NULL, __WALL), ECHILD);
    CHECK(wait_stop(pid) == EVENT(PTRACE_EVENT_EXIT) && message(pid) == 6 << 8);
    go(pid, 0);
    CHECK(wait_end(pid) == 6 << 8);
}

TEST(a_thread_that_executes_takes_over_the_number) {
    pid_t pid = traced_child(thread_executes, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC), tid;
    go(pid, 0);
    CHECK(wait_stop(pid) == EVENT(PTRACE_EVENT_CLONE));
    tid = (pid_t)message(pid);
    CHECK(wait_stop(tid) == SIGSTOP);
    go(pid, 0);
    wait_state(pid, 'S');
    go(tid, 0);
    CHECK(wait_stop(pid) == EVENT(PTRACE_EVENT_EXEC) && (pid_t)message(pid) == tid);
    go(pid, 0);
    CHECK(wait_end(pid) == 5 << 8);
    CHECK_ERRNO(waitpid(tid, NULL, __WALL), ECHILD);
}

static void *waits_in_vain(void *result) {
    *(int *)result = waitpid(-1, NULL, __WALL | __WNOTHREAD | WNOHANG) == -1 && errno == ECHILD &&
                     trace(PTRACE_CONT, *(pid_t *)result, 0, 0) == -1 && errno == ESRCH;
    return NULL;
}

TEST(tracees_are_one_threads) {
    pid_t pid = sleeping_child();
    pthread_t t;
    int result = pid;
    CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
    CHECK(!pthread_create(&t, NULL, waits_in_vain, &result) && !pthread_join(t, NULL) && result == 1);
    CHECK(waitpid(-1, NULL, __WALL | __WNOTHREAD) == pid);
    end(pid);
}

static void *attaches(void *arg) {
    pid_t pid = *(pid_t *)arg;
    CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == SIGSTOP);
    return NULL;
}

TEST(a_tracer_that_ends_lets_go) {
    char line[100];
    pthread_t t;
    pid_t pid = sleeping_child();
    CHECK(!pthread_create(&t, NULL, attaches, &pid) && !pthread_join(t, NULL));
    wait_state(pid, 'S');
    status_line(pid, "TracerPid:", line);
    CHECK(atoi(line) == 0);
    for (int kills = 0; kills < 2; kills++) {
        int status;
        pid_t tracer = fork();
        if (!tracer) {
            seize(pid, kills ? PTRACE_O_EXITKILL : 0);
            CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
            CHECK(wait_stop(pid) == EVENT(EVENT_STOP));
            _exit(0);
        }
        CHECK(waitpid(tracer, &status, 0) == tracer && status == 0);
        if (!kills)
            wait_state(pid, 'S');
    }
    CHECK(wait_end(pid) == SIGKILL);
}

// ---- what the parent sees

TEST(a_traced_zombie_waits_for_its_tracer) {
    int ready[2], leave[2], status;
    char c;
    CHECK(pipe(ready) == 0 && pipe(leave) == 0);
    pid_t pid = sleeping_child(), tracer = fork();
    if (!tracer) {
        seize(pid, 0);
        (void)!write(ready[1], "x", 1);
        siginfo_t info;
        CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0 && info.si_code == CLD_KILLED);
        (void)!write(ready[1], "x", 1);
        (void)!read(leave[0], &c, 1);
        CHECK(wait_end(pid) == SIGKILL);
        CHECK_ERRNO(waitpid(pid, NULL, __WALL), ECHILD);
        _exit(0);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(read(ready[0], &c, 1) == 1);
    CHECK(waitpid(pid, NULL, WNOHANG) == 0);
    CHECK(write(leave[1], "x", 1) == 1);
    CHECK(wait_end(pid) == SIGKILL);
    CHECK(waitpid(tracer, &status, 0) == tracer && status == 0);
}

TEST(a_stop_is_reported_once_and_to_waitid_as_trapped) {
    siginfo_t info;
    pid_t pid = sleeping_child();
    CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(info.si_code == CLD_TRAPPED && info.si_status == SIGSTOP && info.si_pid == pid);
    CHECK(waitid(P_ALL, 0, &info, WSTOPPED) == 0 && info.si_code == CLD_TRAPPED);
    CHECK(waitpid(pid, NULL, WNOHANG | WUNTRACED) == 0);
    CHECK(trace(PTRACE_CONT, pid, 0, SIGKILL) == 0);
    CHECK(wait_end(pid) == SIGKILL);
}

// ---- killing

static int calls(void) {
    syscall(SYS_getppid);
    return 0;
}

TEST(sigkill_ends_every_stop_at_once) {
    pid_t pid = traced_child(calls, PTRACE_O_TRACESYSGOOD);
    CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == CALL_STOP);
    end(pid);
    pid = traced_child(calls, 0);
    CHECK(trace(PTRACE_KILL, pid, 0, 0) == 0);
    CHECK(wait_end(pid) == SIGKILL);
    struct utsname u;
    if (uname(&u) || !strstr(u.release, "drupe")) // Linux drops it at the end, and the tracee rests
        return;
    pid = traced_child(calls, PTRACE_O_TRACEEXIT);
    go(pid, 0);
    CHECK(wait_stop(pid) == EVENT(PTRACE_EVENT_EXIT));
    CHECK(kill(pid, SIGKILL) == 0);
    int status;
    CHECK(waitpid(pid, &status, __WALL) == pid && !WIFSTOPPED(status));
}

// ---- privileges

static int executes_set_id(void) {
    return execute("/tmp/tracing-setid", "TRACING_UID=1");
}

static int executes_set_id_as_another(void) {
    return setgid(1000) || setuid(1000) ? 8 : executes_set_id();
}

static void copy_program(void) {
    char buf[4096];
    ssize_t n;
    int from = open("/proc/self/exe", O_RDONLY),
        to = open("/tmp/tracing-setid", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    while ((n = read(from, buf, sizeof(buf))) > 0)
        CHECK(write(to, buf, n) == n);
    close(from);
    close(to);
    CHECK(chmod("/tmp/tracing-setid", 04755) == 0);
}

TEST(a_set_id_program_gains_nothing_from_a_tracer_without_privileges) {
    copy_program();
    pid_t pid = traced_child(executes_set_id_as_another, PTRACE_O_TRACEEXEC); // TRACEME as root: it is root's
    int status;
    go(pid, 0);
    CHECK(wait_stop(pid) == EVENT(PTRACE_EVENT_EXEC));
    go(pid, 0);
    CHECK(wait_end(pid) == 1 << 8);
    pid = fork();
    if (!pid) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        pid_t child = traced_child(executes_set_id, PTRACE_O_TRACEEXEC);
        go(child, 0);
        CHECK(wait_stop(child) == EVENT(PTRACE_EVENT_EXEC));
        go(child, 0);
        CHECK(wait_end(child) == 2 << 8);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    unlink("/tmp/tracing-setid");
}

static int executes_what_it_may_not_read(void) {
    return execute("/tmp/tracing-unread", "TRACING_NOTHING=1");
}

TEST(a_program_that_may_not_be_read_is_not_shown_to_its_tracer) {
    copy_program();
    CHECK(rename("/tmp/tracing-setid", "/tmp/tracing-unread") == 0 &&
          chmod("/tmp/tracing-unread", 0711) == 0);
    pid_t pid = fork();
    if (!pid) {
        unsigned long word;
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        pid_t child = traced_child(executes_what_it_may_not_read, PTRACE_O_TRACEEXEC);
        go(child, 0);
        CHECK(wait_stop(child) == EVENT(PTRACE_EVENT_EXEC));
        struct registers r = get_registers(child);
        CHECK_ERRNO(trace(PTRACE_PEEKDATA, child, r.sp & -8, (unsigned long)&word), EIO);
        CHECK_ERRNO(trace(PTRACE_POKEDATA, child, r.sp & -8, 0), EIO);
        go(child, 0);
        CHECK(wait_end(child) == 5 << 8);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    unlink("/tmp/tracing-unread");
}

// ---- what was not quite right

static void *sets(void *flag) {
    __atomic_store_n((int *)flag, 1, __ATOMIC_RELAXED);
    return NULL;
}

static int makes_a_thread_in_a_stop(void) {
    static int ran;
    pthread_t t;
    raise(SIGSTOP);
    if (pthread_create(&t, NULL, sets, &ran))
        return 7;
    usleep(50000);
    return __atomic_load_n(&ran, __ATOMIC_RELAXED);
}

TEST(a_new_thread_takes_part_in_a_stop_of_all_threads) {
    pid_t pid = traced_child(makes_a_thread_in_a_stop, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGSTOP);
    go(pid, SIGSTOP);
    CHECK(wait_stop(pid) == SIGSTOP); // all threads'
    go(pid, 0);                       // this one goes on in it
    CHECK(wait_end(pid) == 0);
}

TEST(who_is_let_go_of_while_it_waits_goes_on_waiting) {
    int status;
    pid_t pid = fork();
    if (!pid) {
        struct epoll_event e;
        int ep = epoll_create1(0);
        _exit(epoll_wait(ep, &e, 1, 200) == 0 ? 0 : errno);
    }
    wait_state(pid, 'S');
    pid_t tracer = fork();
    if (!tracer) {
        seize(pid, 0);
        _exit(0);
    }
    CHECK(waitpid(tracer, &status, 0) == tracer && status == 0);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

// Traces the child of another thread to its end, and ends without having waited for it.
static void *traces_to_the_end(void *child) {
    pid_t pid = *(pid_t *)child;
    seize(pid, 0);
    kill(pid, SIGKILL);
    usleep(50000); // the parent has been woken and has not seen it
    return NULL;
}

TEST(a_zombie_is_seen_by_its_parent_when_its_tracer_is_gone) {
    pthread_t t;
    int status;
    struct utsname u;
    if (uname(&u) || !strstr(u.release, "drupe")) // on Linux it sleeps on
        return;
    pid_t pid = sleeping_child();
    CHECK(!pthread_create(&t, NULL, traces_to_the_end, &pid));
    CHECK(waitpid(pid, &status, __WNOTHREAD) == pid && status == SIGKILL);
    CHECK(!pthread_join(t, NULL));
}
