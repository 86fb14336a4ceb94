import { expect, test } from "vitest";
import { parseImageManifest } from "../../image/manifest.ts";
import { blobRef } from "../../ostree/ref-names.ts";
import { decideReserve } from "../space.ts";
import { decideLayerGarbage, followedImage } from "./cleanup.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const descriptor = (digit: string) => ({ mediaType: "x", digest: digest(digit), size: 1 });

test("a layer stays as long as one manifest names it", () => {
  const manifest = (...digits: string[]) =>
    parseImageManifest(
      JSON.stringify({ schemaVersion: 2, config: descriptor("0"), layers: digits.map(descriptor) }),
    );
  const refs = ["1", "2", "3", "4"].map((it) => blobRef(digest(it)));
  const garbage = decideLayerGarbage(refs, [manifest("1", "2"), manifest("2", "3")]);
  expect(garbage).toEqual([blobRef(digest("4"))]);
});

test.each([
  { origin: "[origin]\nrefspec=fedora:x\n", want: [] },
  {
    origin: "[origin]\ncontainer-image-reference=ostree-unverified-registry:quay.io/a/b:c\n",
    want: ["docker://quay.io/a/b:c"],
  },
  {
    origin: `[origin]\ncontainer-image-reference=ostree-image-signed:docker://quay.io/a/b:c@${digest("a")}\n`,
    want: [`docker://quay.io/a/b:c@${digest("a")}`, `docker://quay.io/a/b@${digest("a")}`],
  },
])("an origin keeps the image it follows: $want", ({ origin, want }) => {
  expect(followedImage(origin)).toEqual(want);
});

test.each([
  ["[core]\nmode=bare\n", 30_000],
  ["[core]\nmin-free-space-percent=10\n", 100_000],
  ["[core]\nmin-free-space-size=5MB\n", 5 << 20],
  ["[core]\nmin-free-space-percent=0\n", 0],
])("ostree keeps free what its configuration says: %j", (config, want) => {
  expect(decideReserve(config, { sizeBytes: 1_000_000 })).toBe(want);
});
