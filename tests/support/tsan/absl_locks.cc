// Tells the thread sanitizer what abseil's locks order. Debian's abseil is not instrumented, so without this every
// access under an absl::Mutex looks like a race. Linked into everything when WEIR_SANITIZE has "thread": the linker's
// --wrap sends calls from our code through here (the symbols are listed in CMakeLists.txt).
#include <absl/synchronization/blocking_counter.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

extern "C" {

void __tsan_acquire(void*);
void __tsan_release(void*);

#define MUTEX(name) _ZN4absl7debian35Mutex##name
#define CONDVAR(name) _ZN4absl7debian37CondVar##name
#define COUNTER(name) _ZN4absl7debian315BlockingCounter##name
#define GLUE(a, b) a##b
#define REAL(symbol) GLUE(__real_, symbol)
#define WRAP(symbol) GLUE(__wrap_, symbol)

void REAL(MUTEX(4LockEv))(absl::Mutex*);
void REAL(MUTEX(6UnlockEv))(absl::Mutex*);
bool REAL(MUTEX(7TryLockEv))(absl::Mutex*);
void REAL(MUTEX(10ReaderLockEv))(absl::Mutex*);
void REAL(MUTEX(12ReaderUnlockEv))(absl::Mutex*);
void REAL(MUTEX(5AwaitERKNS0_9ConditionE))(absl::Mutex*, const absl::Condition&);
bool REAL(MUTEX(16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE))(absl::Mutex*, const absl::Condition&,
                                                                     absl::Duration);
void REAL(CONDVAR(4WaitEPNS0_5MutexE))(absl::CondVar*, absl::Mutex*);
bool REAL(CONDVAR(15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE))(absl::CondVar*, absl::Mutex*, absl::Duration);
bool REAL(COUNTER(14DecrementCountEv))(absl::BlockingCounter*);
void REAL(COUNTER(4WaitEv))(absl::BlockingCounter*);
void REAL(_ZN4absl7debian312Notification6NotifyEv)(absl::Notification*);
void REAL(_ZNK4absl7debian312Notification19WaitForNotificationEv)(const absl::Notification*);

void WRAP(MUTEX(4LockEv))(absl::Mutex* mutex) {
  REAL(MUTEX(4LockEv))(mutex);
  __tsan_acquire(mutex);
}
void WRAP(MUTEX(6UnlockEv))(absl::Mutex* mutex) {
  __tsan_release(mutex);
  REAL(MUTEX(6UnlockEv))(mutex);
}
bool WRAP(MUTEX(7TryLockEv))(absl::Mutex* mutex) {
  const bool locked = REAL(MUTEX(7TryLockEv))(mutex);
  if (locked) __tsan_acquire(mutex);
  return locked;
}
void WRAP(MUTEX(10ReaderLockEv))(absl::Mutex* mutex) {
  REAL(MUTEX(10ReaderLockEv))(mutex);
  __tsan_acquire(mutex);
}
void WRAP(MUTEX(12ReaderUnlockEv))(absl::Mutex* mutex) {
  __tsan_release(mutex);
  REAL(MUTEX(12ReaderUnlockEv))(mutex);
}

// A waiting thread evaluates its condition with the lock held, inside abseil where we do not see it taken.
struct Acquiring {
  absl::Mutex* mutex;
  const absl::Condition* condition;
  bool holds() const {
    __tsan_acquire(mutex);
    const bool held = condition->Eval();
    __tsan_release(mutex);
    return held;
  }
};
void WRAP(MUTEX(5AwaitERKNS0_9ConditionE))(absl::Mutex* mutex, const absl::Condition& condition) {
  const Acquiring acquiring{mutex, &condition};
  __tsan_release(mutex);
  REAL(MUTEX(5AwaitERKNS0_9ConditionE))(mutex, absl::Condition(&acquiring, &Acquiring::holds));
  __tsan_acquire(mutex);
}
bool WRAP(MUTEX(16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE))(absl::Mutex* mutex,
                                                                     const absl::Condition& condition,
                                                                     absl::Duration timeout) {
  const Acquiring acquiring{mutex, &condition};
  __tsan_release(mutex);
  const bool held = REAL(MUTEX(16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE))(
      mutex, absl::Condition(&acquiring, &Acquiring::holds), timeout);
  __tsan_acquire(mutex);
  return held;
}
void WRAP(CONDVAR(4WaitEPNS0_5MutexE))(absl::CondVar* variable, absl::Mutex* mutex) {
  __tsan_release(mutex);
  REAL(CONDVAR(4WaitEPNS0_5MutexE))(variable, mutex);
  __tsan_acquire(mutex);
}
bool WRAP(CONDVAR(15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE))(absl::CondVar* variable, absl::Mutex* mutex,
                                                                 absl::Duration timeout) {
  __tsan_release(mutex);
  const bool timed_out = REAL(CONDVAR(15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE))(variable, mutex, timeout);
  __tsan_acquire(mutex);
  return timed_out;
}
bool WRAP(COUNTER(14DecrementCountEv))(absl::BlockingCounter* counter) {
  __tsan_release(counter);
  return REAL(COUNTER(14DecrementCountEv))(counter);
}
void WRAP(COUNTER(4WaitEv))(absl::BlockingCounter* counter) {
  REAL(COUNTER(4WaitEv))(counter);
  __tsan_acquire(counter);
}
void WRAP(_ZN4absl7debian312Notification6NotifyEv)(absl::Notification* notification) {
  __tsan_release(notification);
  REAL(_ZN4absl7debian312Notification6NotifyEv)(notification);
}
void WRAP(_ZNK4absl7debian312Notification19WaitForNotificationEv)(const absl::Notification* notification) {
  REAL(_ZNK4absl7debian312Notification19WaitForNotificationEv)(notification);
  __tsan_acquire(const_cast<absl::Notification*>(notification));
}

}  // extern "C"
