// Answers one connection on the listening socket it was given: echoes a line in capitals.
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  int connection = -1;
  for (int fd = 3; fd < 8 && connection < 0; fd++) connection = accept(fd, NULL, NULL);
  if (connection < 0) {
    perror("accept");
    return 1;
  }
  char line[256];
  ssize_t n = recv(connection, line, sizeof line, 0);
  for (ssize_t i = 0; i < n; i++) line[i] = (char)toupper((unsigned char)line[i]);
  if (send(connection, line, (size_t)n, 0) != n) return 1;
  shutdown(connection, SHUT_RDWR);
  close(connection);
  printf("served %zd bytes\n", n);
  return 0;
}
