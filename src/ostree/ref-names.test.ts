import fc from "fast-check";
import { expect, test } from "vitest";
import { anyText } from "../testing/any-text.ts";
import {
  blobRef,
  escapeRef,
  imageRef,
  pendingRef,
  requireRefName,
  unescapeRef,
} from "./ref-names.ts";

const table = [
  ["sha256:2c26b4", "sha256_3A_2c26b4"],
  [
    "docker://quay.io/fedora/fedora-bootc:latest",
    "docker_3A__2F__2F_quay_2E_io/fedora/fedora-bootc_3A_latest",
  ],
  [
    "docker://quay.io/fedora/fedora-bootc@sha256:abcd",
    "docker_3A__2F__2F_quay_2E_io/fedora/fedora-bootc_40_sha256_3A_abcd",
  ],
  [
    "docker://localhost:5000/my_img/a.b-c:v1_2",
    "docker_3A__2F__2F_localhost_3A_5000/my__img/a_2E_b-c_3A_v1__2",
  ],
  ["oci:/var/tmp/img:tag", "oci_3A__2F_var/tmp/img_3A_tag"],
  ["oci-archive:/path/to/foo.ociarchive", "oci-archive_3A__2F_path/to/foo_2E_ociarchive"],
  [
    "containers-storage:[overlay@/var/lib]x",
    "containers-storage_3A__5B_overlay_40__2F_var/lib_5D_x",
  ],
  ["dir:/a//b/", "dir_3A__2F_a/_2F_b_2F_"],
  ["foo-/bar", "foo-_2F_bar"],
  ["docker://ex.io/caféő:x", "docker_3A__2F__2F_ex_2E_io/caf_E9__151__3A_x"],
  ["/", "_2F_"],
  ["/a", "_2F_a"],
  ["\ud7ff\ue000\u{10ffff}", "_D7FF__E000__10FFFF_"],
  ["a__b", "a____b"],
] as const;

test.each(table)("%s is escaped as upstream does, and back", (text, escaped) => {
  expect(escapeRef("p/q", text)).toBe(`p/q/${escaped}`);
  expect(unescapeRef("p/q", `p/q/${escaped}`)).toBe(text);
});

test("any text survives, as a ref name ostree accepts", () => {
  const text = anyText({ minLength: 1 }).filter((it) => !it.includes("\0"));
  fc.assert(
    fc.property(text, (it) => {
      const ref = escapeRef("p", it);
      expect(ref).toMatch(/^p(\/[A-Za-z0-9_-][A-Za-z0-9_-]*)+$/);
      expect(unescapeRef("p", ref)).toBe(it);
    }),
  );
});

test.each(["p/", "q/a", "p/a.b", "p/a_zz_", "p/a_", "p/_D800_", "p/_DFFF_", "p/_110000_"])(
  "`%s` is not an escaped ref below p",
  (ref) => {
    expect(() => unescapeRef("p", ref)).toThrow("ref");
  },
);

test("the refs of a layer and an image", () => {
  expect(blobRef("sha256:ab")).toBe("ostree/container/blob/sha256_3A_ab");
  expect(imageRef("dir:/x")).toBe("ostree/container/image/dir_3A__2F_x");
  expect(pendingRef("sha256:ab")).toBe("bootc-pull/pending/sha256_3A_ab");
  expect(() => imageRef("")).toThrow("cannot be turned into a ref name");
});

test.each([
  ["os", true],
  ["exampleos/x86_64/stable-1.2", true],
  ["", false],
  ["a b", false],
  ["a//b", false],
  ["/a", false],
  ["a/", false],
  ["a/../b", false],
  ["remote:a", false],
])("`%s` as the name of a ref: %s", (name, isName) => {
  if (isName) expect(() => requireRefName(name)).not.toThrow();
  else expect(() => requireRefName(name)).toThrow("cannot be the name of a ref");
});
