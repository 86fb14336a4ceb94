import { expect, test } from "vitest";
import { argvOfProcess } from "./names.ts";

test.each([
  { argv0: "/usr/bin/bootc", words: ["status"], want: ["status"] },
  {
    argv0: "/usr/libexec/libostree/ext/ostree-container",
    words: ["container", "image", "list"],
    want: ["internals", "ostree-container", "image", "list"],
  },
  {
    argv0: "ostree-container",
    words: ["image", "list"],
    want: ["internals", "ostree-container", "image", "list"],
  },
  {
    argv0: "/usr/bin/ostree-ext",
    words: ["container", "image", "list"],
    want: ["internals", "ostree-ext", "container", "image", "list"],
  },
  {
    argv0: "/usr/libexec/libostree/ext/ostree-ima-sign",
    words: ["ima-sign", "--repo=a", "b"],
    want: ["internals", "ostree-ext", "ima-sign", "--repo=a", "b"],
  },
  {
    argv0: "ostree-provisional-repair",
    words: ["provisional-repair", "repair"],
    want: ["internals", "ostree-ext", "provisional-repair", "repair"],
  },
  {
    argv0: "ostree-provisional-repair",
    words: ["repair"],
    want: ["internals", "ostree-ext", "provisional-repair", "repair"],
  },
  {
    argv0: "bootc-systemd-generator",
    words: ["/run/a"],
    want: ["internals", "systemd-generator", "/run/a"],
  },
  {
    argv0: "/usr/bin/system-reinstall-bootc",
    words: ["quay.io/a"],
    want: ["system-reinstall-bootc", "quay.io/a"],
  },
])("$argv0 $words means $want", ({ argv0, words, want }) => {
  expect(argvOfProcess(argv0, words)).toEqual(want);
});
