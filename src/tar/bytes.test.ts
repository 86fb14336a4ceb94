import { expect, test } from "vitest";
import { bytesOf, stopTaking, takeAtHand, takeRest, takeSome, takeWhole } from "./bytes.ts";

const PIECES = ["abc", "", "defg", "h"].map((it) => Buffer.from(it));

async function* stream(pieces: readonly Buffer[] = PIECES): AsyncGenerator<Buffer> {
  yield* pieces;
}

test("what is at hand is taken without waiting, and nothing of it when it is not enough", async () => {
  const bytes = bytesOf(stream());
  expect(takeAtHand(bytes, 1)).toBeUndefined();
  expect(`${await takeSome(bytes, 1)}`).toBe("a");
  expect(takeAtHand(bytes, 3)).toBeUndefined();
  expect(`${takeAtHand(bytes, 2)}`).toBe("bc");
});

test("some bytes are of one piece; the end is undefined", async () => {
  const bytes = bytesOf(stream());
  const taken: string[] = [];
  for (let it = await takeSome(bytes, 3); it !== undefined; it = await takeSome(bytes, 3)) {
    taken.push(`${it}`);
  }
  expect(taken).toEqual(["abc", "def", "g", "h"]);
  expect(await takeSome(bytes, 3)).toBeUndefined();
});

test("whole amounts span pieces, and are short only at the end", async () => {
  const bytes = bytesOf(stream());
  expect(`${await takeWhole(bytes, 5, { isKept: false })}`).toBe("abcde");
  expect(`${await takeWhole(bytes, 5, { isKept: false })}`).toBe("fgh");
  expect(`${await takeWhole(bytes, 5, { isKept: false })}`).toBe("");
});

test("only what is kept is a copy, so that it does not keep its piece", async () => {
  const piece = Buffer.alloc(1 << 16, "x");
  const bytes = bytesOf(stream([piece]));
  expect((await takeWhole(bytes, 9, { isKept: false })).buffer).toBe(piece.buffer);
  expect((await takeWhole(bytes, 9, { isKept: true })).buffer).not.toBe(piece.buffer);
});

test("the rest is read to its end; a stream that is left is told so", async () => {
  const bytes = bytesOf(stream());
  await takeSome(bytes, 1);
  await takeRest(bytes);
  expect(await takeSome(bytes, 1)).toBeUndefined();
  const pieces = stream();
  const left = bytesOf(pieces);
  await takeSome(left, 1);
  await stopTaking(left);
  expect((await pieces.next()).done).toBe(true);
});
