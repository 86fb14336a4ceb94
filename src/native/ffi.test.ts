import { constants } from "node:os";
import { expect, test } from "vitest";
import { isDoorOpen, makeCall, setErrno } from "./ffi.ts";

const { EAGAIN, EBADF, EIO, ENODATA, ENOENT, ENOSPC } = constants.errno;

/** A call that fails with each of these errnos in turn, and then succeeds. */
function failing(...errnos: readonly number[]) {
  if (!isDoorOpen()) throw new Error("the door is shut");
  let made = 0;
  const call = () => {
    const errno = errnos[made++];
    if (errno === undefined) return made;
    setErrno(errno);
    return -1;
  };
  return { call, count: () => made };
}

test.each<[string, readonly number[], number]>([
  ["changed once", [EAGAIN, ENOENT, ENOENT], ENOENT],
  ["changed in between", [ENOENT, EAGAIN, ENOENT, ENOENT], ENOENT],
  ["cleared", [0, ENOENT, ENOENT], ENOENT],
  ["right", [EAGAIN, EAGAIN], EAGAIN],
])("an errno that is %s counts when it is there twice in a row", (_, errnos, errno) => {
  const { call, count } = failing(...errnos);
  expect(makeCall(call)).toEqual({ status: -1, errno });
  expect(count()).toBe(errnos.length);
});

test.each([ENODATA, EIO, ENOSPC])(
  "errno %i, which the engine never sets, counts at once",
  (errno) => {
    const { call, count } = failing(errno, EBADF, EBADF);
    expect(makeCall(call)).toEqual({ status: -1, errno });
    expect(count()).toBe(1);
  },
);

test("a call that succeeds the second time has succeeded", () => {
  const { call } = failing(EAGAIN);
  expect(makeCall(call)).toEqual({ status: 2, errno: 0 });
});

test("a call whose reasons never agree fails with the last one", () => {
  const errnos = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? EAGAIN : ENOENT));
  const { call, count } = failing(...errnos);
  expect(makeCall(call)).toEqual({ status: -1, errno: ENOENT });
  expect(count()).toBe(10);
});
