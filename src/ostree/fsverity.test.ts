import { expect, test } from "vitest";
import { startVerityDigest } from "./fsverity.ts";

/** The bytes 0 to 250, again and again. */
function content(sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
}

// As `fsverity digest` of fsverity-utils 1.5 prints them.
const KNOWN = [
  { sizeBytes: 0, want: "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95" },
  { sizeBytes: 1, want: "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551" },
  { sizeBytes: 4095, want: "5f4953aad672b0188023d6cd6fbce9d09508eb7dad165b6298ce0086bc1e72db" },
  { sizeBytes: 4096, want: "13e9b8848ae484a36acb3f3cac0ceb2f7601e96633d15c92f9bd3dd44e492157" },
  { sizeBytes: 4097, want: "b0d074abef4d544404facfab6ba242f6a8ccbde90f1325cd286f3c8aa8d0f8aa" },
  { sizeBytes: 524_288, want: "d82861203d50ae9b60948504a704f35f5118bd229aeb1a22d6dae47b1767c4c4" },
  { sizeBytes: 524_289, want: "4dc6905041c9c4ee73e13b53f63f5d289c46da359b664a965ead7f8cc4d799d4" },
  {
    sizeBytes: 67_108_865,
    want: "acba6554fbff4e8b2fc0361086b9e8ed6afbbd3196ade159c0f3e2bf9ecb2ed1",
  },
];

test.each(KNOWN)(
  "$sizeBytes bytes have the digest that the kernel gives",
  ({ sizeBytes, want }) => {
    const digest = startVerityDigest();
    digest.update(content(sizeBytes));
    expect(digest.finish()).toBe(want);
  },
);

test.each([1, 251, 4095, 4096, 5000, 65_536])(
  "chunks of %i bytes make no difference",
  (chunkBytes) => {
    const bytes = content(524_289);
    const digest = startVerityDigest();
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      digest.update(bytes.subarray(at, at + chunkBytes));
    }
    expect(digest.finish()).toBe(KNOWN.find((it) => it.sizeBytes === 524_289)?.want);
  },
);
