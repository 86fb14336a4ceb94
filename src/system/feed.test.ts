import { expect, test } from "vitest";
import { feed } from "./feed.ts";
import { createContext } from "./run.ts";

const ctx = createContext();

async function* batches(count: number, bytes: number): AsyncGenerator<readonly Uint8Array[]> {
  for (let i = 0; i < count; i++) yield [Buffer.alloc(bytes, i)];
}

test("a program that reads late gets every byte", async () => {
  const slow = { program: "sh", args: ["-c", "sleep 0.1; wc -c"] };
  expect(await feed(ctx, slow, batches(3, 1_000_000))).toBe("3000000\n");
  expect(await feed(ctx, slow, batches(1, 50_000))).toBe("50000\n");
});

test("a source that fails kills the program, and its error is what comes out", async () => {
  async function* broken() {
    yield [Buffer.from("some")];
    throw new Error("broken source");
  }
  await expect(feed(ctx, { program: "cat", args: [] }, broken())).rejects.toThrow("broken source");
});

test("a program that ends early says why", async () => {
  const program = { program: "sh", args: ["-c", "echo no >&2; exit 3"] };
  await expect(feed(ctx, program, batches(100, 1_000_000))).rejects.toThrow("status 3: no");
});
