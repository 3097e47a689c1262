/* Heartbeats reach the place they are sent to, over IPv6 and where a kernel has IPv4 alone; what is
 * not of this job is not heard. */
#include "../../src/dist/heartbeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* As lae_heartbeat_open on a kernel without IPv6. */
static struct lae_heartbeat_socket open_ipv4(void)
{
    struct lae_heartbeat_socket new = {.file = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
                                       .ipv4_only = true};
    struct sockaddr_in anywhere = {.sin_family = AF_INET};
    assert_true(new.file >= 0);
    assert_int_equal(bind(new.file, (struct sockaddr *)&anywhere, sizeof anywhere), 0);
    return new;
}

static bool comes(const struct lae_heartbeat_socket *socket, const uint64_t token[2],
                  struct lae_heartbeat *beat, struct in6_addr *from, in_port_t *port)
{
    struct pollfd file = {.fd = socket->file, .events = POLLIN};
    poll(&file, 1, 2000);
    return lae_heartbeat_receive(socket, token, beat, from, port);
}

/* A beat to every address of the place, and the answer to where each came from. */
static void exchange(struct lae_heartbeat_socket here, struct lae_heartbeat_socket there)
{
    struct lae_heartbeat_place place;
    assert_true(lae_heartbeat_place(&here, &place));
    assert_true(place.port != 0 && place.addresses > 0);
    struct lae_heartbeat beat = {.token = {place.token[0], place.token[1]}, .node = 3}, heard;
    struct in6_addr from;
    in_port_t port;
    int reached = 0;
    for (int i = 0; i < place.addresses; i++) {
        if (there.ipv4_only && !IN6_IS_ADDR_V4MAPPED(&place.address[i])) continue;
        lae_heartbeat_send(&there, &beat, &place.address[i], place.port);
        if (!comes(&here, place.token, &heard, &from, &port)) continue;
        assert_int_equal(heard.node, 3);
        heard.answer = 1;
        lae_heartbeat_send(&here, &heard, &from, port);
        assert_true(comes(&there, place.token, &heard, &from, &port));
        assert_int_equal(heard.answer, 1);
        assert_int_equal(port, place.port);
        assert_memory_equal(&from, &place.address[i], sizeof from);
        reached++;
    }
    assert_true(reached > 0);
    lae_heartbeat_close(&here);
    lae_heartbeat_close(&there);
    assert_int_equal(here.file, -1);
}

static void beats_and_answers_arrive(void **state)
{
    (void)state;
    struct lae_heartbeat_socket here = lae_heartbeat_open();
    assert_true(here.file >= 0);
    exchange(here, lae_heartbeat_open());
    exchange(open_ipv4(), open_ipv4());
    exchange(open_ipv4(), lae_heartbeat_open());
}

static void strangers_are_not_heard(void **state)
{
    (void)state;
    struct lae_heartbeat_socket here = lae_heartbeat_open(), there = lae_heartbeat_open();
    struct lae_heartbeat_place place, other;
    assert_true(lae_heartbeat_place(&here, &place) && lae_heartbeat_place(&here, &other));
    assert_memory_not_equal(place.token, other.token, sizeof place.token);
    struct lae_heartbeat beat = {.token = {other.token[0], other.token[1]}}, heard;
    struct in6_addr from, *to = &place.address[0];
    in_port_t port;
    lae_heartbeat_send(&there, &beat, to, place.port); /* another job's */
    assert_false(comes(&here, place.token, &heard, &from, &port));

    memcpy(beat.token, place.token, sizeof beat.token);
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = place.port, .sin6_addr = *to};
    char longer[sizeof beat + 1] = {0};
    memcpy(longer, &beat, sizeof beat);
    sendto(there.file, longer, sizeof longer, 0, (struct sockaddr *)&name, sizeof name);
    assert_false(comes(&here, place.token, &heard, &from, &port));
    sendto(there.file, longer, sizeof beat - 1, 0, (struct sockaddr *)&name, sizeof name);
    assert_false(comes(&here, place.token, &heard, &from, &port));

    sendto(there.file, longer, sizeof beat, 0, (struct sockaddr *)&name, sizeof name);
    assert_true(comes(&here, place.token, &heard, &from, &port));
    lae_heartbeat_close(&here);
    lae_heartbeat_close(&there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beats_and_answers_arrive),
        cmocka_unit_test(strangers_are_not_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
