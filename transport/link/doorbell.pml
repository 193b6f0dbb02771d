/* Parking and waking (doorbell.h) as a model for spin, on an x86 memory.
 *
 * A consumer takes RECORDS records that PRODUCERS producers publish, and parks
 * when it finds none. Every process has a store buffer: a store goes into it,
 * and becomes visible by and by, in order; a load finds the process's own
 * buffered store first. A fence, and an exchange, wait until the buffer is
 * empty. The two words: `published` counts records, `parked` is the mark. The
 * producers hold a lock around publishing, as Connection's do; its drain of the
 * buffer comes too late to matter.
 *
 * Checked:
 *   no lost wake-up   no state where all wait and not all have ended
 *                     (spin's invalid end states)
 *   no needless ring  a ring for each time of parking at most
 *   progress          no cycle without the consumer taking a record
 *                     (pan -l, of a model compiled with -DNP), and under weak
 *                     fairness every execution ends with all records taken
 *                     (pan -a -f of the claim `delivered`)
 *
 * Broken on purpose, each by one definition, each found:
 *   -DNO_FENCE_PARK      the consumer does not fence behind its mark
 *   -DNO_FENCE_PUBLISH   a producer does not fence behind its record
 *   -DNO_SECOND_LOOK     the consumer does not look again before it sleeps
 *   -DNO_EXCHANGE        producers read the mark and then clear it
 *
 * doorbell_model_test.sh runs all of that.
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef RECORDS
#define RECORDS 2 /* of each producer */
#endif
#define ALL (PRODUCERS * RECORDS)
#define CONSUMER PRODUCERS /* its number */

/* The words, by number. */
#define PUBLISHED 0
#define PARKED 1
byte memory[2];

/* Store buffers: room for what a process stores between two drains. */
#define BUFFERED 4
chan buffer[PRODUCERS + 1] = [BUFFERED] of { bit, byte }; /* word, value */
/* What a process reads of its own: its last buffered store, if there is one. */
typedef Own {
  byte waiting[2]; /* stores to each word */
  byte last[2];
}
Own own[PRODUCERS + 1];

bool event;      /* auto-reset; orders nothing */
bool locked;
byte sent;       /* records, under the lock */
byte taken;      /* the consumer's */
byte parks;
byte rings;

inline Store(who, word, value) {
  d_step {
    buffer[who] ! word, value;
    own[who].waiting[word]++;
    own[who].last[word] = value;
  }
}

inline Load(who, word, result) {
  d_step {
    if
    :: own[who].waiting[word] > 0 -> result = own[who].last[word]
    :: else -> result = memory[word]
    fi
  }
}

#define DRAINED(who) (len(buffer[who]) == 0)

inline Fence(who) { DRAINED(who) }

/* Makes stores visible, one at a time, whenever. */
proctype Drain(byte who) {
  bit word;
  byte value;
end:
  do
  :: d_step {
      buffer[who] ? word, value ->
      memory[word] = value;
      own[who].waiting[word]--;
      word = 0;
      value = 0;
    }
  od
}

/* TakeMark, and ringing. */
inline Ring(who) {
#ifndef NO_FENCE_PUBLISH
  Fence(who);
#endif
  Load(who, PARKED, seen);
  if
  :: seen == 0
  :: else ->
#ifdef NO_EXCHANGE
    Store(who, PARKED, 0);
#else
    d_step {
      DRAINED(who) ->
      seen = memory[PARKED];
      memory[PARKED] = 0;
    }
#endif
    if
    :: seen == 0
    :: else ->
      d_step {
        rings++;
        event = true;
      }
    fi
  fi
  seen = 0
}

proctype Producer(byte me) {
  byte n = 0;
  byte seen = 0;
  do
  :: n == RECORDS -> break
  :: else ->
    d_step { !locked && DRAINED(me) -> locked = true; sent++; }
    Store(me, PUBLISHED, sent);
    Ring(me);
    d_step { DRAINED(me) -> locked = false; }
    n++
  od
}

proctype Consumer() {
  byte seen = 0;
  do
  :: taken == ALL -> break
  :: else ->
    Load(CONSUMER, PUBLISHED, seen);
    if
    :: seen > taken ->
progress_took:
      taken++
    :: else ->
      parks++;
      Store(CONSUMER, PARKED, 1);
#ifndef NO_FENCE_PARK
      Fence(CONSUMER);
#endif
#ifndef NO_SECOND_LOOK
      Load(CONSUMER, PUBLISHED, seen);
#endif
      if
      :: seen > taken
      :: else -> d_step { event -> event = false; }
      fi;
      Store(CONSUMER, PARKED, 0)
    fi
  od;
  assert(rings <= parks)
}

init {
  byte i;
  atomic {
    for (i : 0 .. PRODUCERS - 1) {
      run Producer(i);
      run Drain(i)
    }
    run Consumer();
    run Drain(CONSUMER)
  }
}

ltl delivered { <> (taken == ALL) }
