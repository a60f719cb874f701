/* What http-parser makes of each case: see ParserOutcomes.swift for the lines. */
#include <ctype.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
  char *bytes;
  size_t count, capacity;
};

struct message {
  struct text target, fields, trailer, content;
  int has_head, is_complete, is_in_value, method, minor, keeps_alive;
};

static void add(struct text *text, const char *bytes, size_t count) {
  if (text->count + count > text->capacity) {
    text->capacity = 2 * (text->count + count);
    text->bytes = realloc(text->bytes, text->capacity);
    if (!text->bytes) abort();
  }
  memcpy(text->bytes + text->count, bytes, count);
  text->count += count;
}

static int is_blank(char byte) { return byte == ' ' || byte == '\t'; }

static struct text *section(struct message *message) {
  return message->has_head ? &message->trailer : &message->fields;
}

/* It leaves white space at the end of values; that is no difference worth listing. */
static void end_line(struct message *message) {
  struct text *text = section(message);
  if (message->is_in_value) {
    while (text->count > 0 && is_blank(text->bytes[text->count - 1])) text->count--;
    add(text, "\n", 1);
  }
  message->is_in_value = 0;
}

static int on_url(http_parser *parser, const char *bytes, size_t count) {
  add(&((struct message *)parser->data)->target, bytes, count);
  return 0;
}

static int on_field(http_parser *parser, const char *bytes, size_t count) {
  struct message *message = parser->data;
  end_line(message);
  for (size_t index = 0; index < count; index++) {
    char byte = bytes[index];
    if (byte >= 'A' && byte <= 'Z') byte += 32;
    add(section(message), &byte, 1);
  }
  return 0;
}

static int on_value(http_parser *parser, const char *bytes, size_t count) {
  struct message *message = parser->data;
  if (!message->is_in_value) add(section(message), ":", 1);
  message->is_in_value = 1;
  add(section(message), bytes, count);
  return 0;
}

static int on_head(http_parser *parser) {
  struct message *message = parser->data;
  end_line(message);
  message->has_head = 1;
  message->method = parser->method;
  message->minor = parser->http_major == 1 ? parser->http_minor : -1;
  message->keeps_alive = http_should_keep_alive(parser) != 0;
  return 0;
}

static int on_body(http_parser *parser, const char *bytes, size_t count) {
  add(&((struct message *)parser->data)->content, bytes, count);
  return 0;
}

static int on_end(http_parser *parser) {
  struct message *message = parser->data;
  end_line(message);
  message->is_complete = 1;
  http_parser_pause(parser, 1);
  return 0;
}

static void print_hex(struct text text) {
  for (size_t index = 0; index < text.count; index++)
    printf("%02x", (unsigned char)text.bytes[index]);
  putchar('\t');
}

/* It knows a list of methods, and refuses other tokens: that is no difference worth listing, so
   it is given "GET" for them. */
static size_t other_method(const char *input, size_t count) {
  static const char others[] = "!#$%&'*+-.^_`|~";
  static const char *const known[] = {
#define NAME(number, name, string) #string,
      HTTP_METHOD_MAP(NAME)
#undef NAME
  };
  size_t length = 0;
  while (length < count && input[length] &&
         (isalnum((unsigned char)input[length]) || strchr(others, input[length])))
    length++;
  if (length == 0 || length == count || input[length] != ' ') return 0;
  for (size_t index = 0; index < sizeof known / sizeof *known; index++)
    if (strlen(known[index]) == length && !memcmp(known[index], input, length)) return 0;
  return length;
}

/* It takes spaces at the end of a length or a coding but no tabs, so it is given spaces. */
static void replace_tabs(char *input, size_t count) {
  size_t index = 0;
  while (index + 1 < count && memcmp(input + index, "\r\n", 2)) index++;
  for (index += 2; index + 1 < count; index++) {
    if (memcmp(input + index, "\r\n", 2)) continue;
    if (index + 3 < count && !memcmp(input + index, "\r\n\r\n", 4)) count = index + 2;
    for (size_t last = index; is_blank(input[last - 1]); last--) input[last - 1] = ' ';
  }
}

static void print_outcome(char *input, size_t count) {
  size_t start = 0;
  while (start + 1 < count && input[start] == '\r' && input[start + 1] == '\n') start += 2;
  replace_tabs(input + start, count - start);
  size_t method = other_method(input + start, count - start);
  struct message message = {0};
  http_parser parser;
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_url = on_url;
  settings.on_header_field = on_field;
  settings.on_header_value = on_value;
  settings.on_headers_complete = on_head;
  settings.on_body = on_body;
  settings.on_message_complete = on_end;
  http_parser_init(&parser, HTTP_REQUEST);
  parser.data = &message;
  size_t skipped = method > 0 ? start + method : 0;
  if (method > 0) http_parser_execute(&parser, &settings, "GET", 3);
  size_t parsed =
      skipped + http_parser_execute(&parser, &settings, input + skipped, count - skipped);
  enum http_errno error = HTTP_PARSER_ERRNO(&parser);
  const char *last = error == HPE_OK || error == HPE_PAUSED ? "I" : "R";
  if (message.has_head) {
    if (method > 0)
      printf("A\t%.*s\t", (int)method, input + start);
    else
      printf("A\t%s\t", http_method_str(message.method));
    print_hex(message.target);
    printf("%d\t", message.minor);
    print_hex(message.fields);
    printf("%d\t%s\t", message.keeps_alive, message.is_complete ? "A" : last);
    print_hex(message.content);
    print_hex(message.trailer);
    if (message.is_complete) printf("%zu", parsed);
  } else {
    printf("%s\t\t\t\t\t\t\t\t\t", last);
  }
  printf("\t%s\n", message.is_complete || *last == 'I' ? "" : http_errno_name(error));
  free(message.target.bytes);
  free(message.fields.bytes);
  free(message.trailer.bytes);
  free(message.content.bytes);
}

int main(int count, char **arguments) {
  FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
  unsigned char head[4];
  if (!file) return 2;
  while (fread(head, 1, 4, file) == 4) {
    size_t length = head[0] | head[1] << 8 | head[2] << 16 | (size_t)head[3] << 24;
    char *input = malloc(length + 1);
    if (!input || fread(input, 1, length, file) != length) return 2;
    print_outcome(input, length);
    free(input);
  }
  fclose(file);
  return 0;
}
