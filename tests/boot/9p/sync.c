// SPDX-License-Identifier: MIT
// What a mapping has changed is with the host when sync() returns, also if the kernel was about to write it by itself. The server
// is slow: what is written first keeps it busy.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (32 * 4096) // one message

int main(void) {
    static char block[SIZE];
    int fd = open("late", O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, block, SIZE) != SIZE)
        return 1;
    char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return 1;
    memset(map, 'd', SIZE);
    sleep(1); // the kernel writes after half of that
    sync();
    printf("syn%s\n", "ced");
    fflush(stdout);
    pause();
}
