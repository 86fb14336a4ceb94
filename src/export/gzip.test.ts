import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { gzipped } from "./gzip.ts";

/** `bytes` in pieces of `size`. */
async function* cut(bytes: Buffer, size: number): AsyncGenerator<readonly Buffer[]> {
  for (let at = 0; at < bytes.length; at += size) yield [bytes.subarray(at, at + size)];
}

async function compress(bytes: Buffer, { size = 100_000, level = 6 } = {}): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of gzipped(cut(bytes, size), level)) parts.push(part);
  return Buffer.concat(parts);
}

function text(length: number): Buffer {
  let seed = 7;
  const words = Array.from({ length: length / 4 }, () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return "lib/usr/bin/etc/".slice(seed % 12, (seed % 12) + 4);
  });
  return Buffer.from(words.join(""));
}

test.each([0, 1, 1000, 1 << 20, (1 << 20) + 1, 5_000_000])("%i bytes come back", async (length) => {
  const bytes = text(Math.ceil(length / 4) * 4).subarray(0, length);
  expect(gunzipSync(await compress(bytes)).equals(bytes)).toBe(true);
});

test("how the source is cut makes no difference", async () => {
  const bytes = text(3_000_000);
  const [one, other] = await Promise.all([compress(bytes), compress(bytes, { size: 1777 })]);
  expect(one.equals(other)).toBe(true);
  expect(one.subarray(0, 10).toString("hex")).toBe("1f8b08000000000000ff");
  expect((await compress(bytes, { level: 1 })).length).toBeGreaterThan(one.length);
});

test("an error of the source ends it", async () => {
  async function* failing(): AsyncGenerator<readonly Buffer[]> {
    yield [text(2_500_000)];
    throw new Error("no more");
  }
  const drain = async () => {
    for await (const part of gzipped(failing(), 1)) expect(part.length).toBeGreaterThan(0);
  };
  await expect(drain()).rejects.toThrow("no more");
});
