import { expect, test } from "vitest";
import {
  findFstabMount,
  formatFstabLine,
  parseMountSpec,
  withFstabMount,
  withMountOption,
} from "./mount-spec.ts";

test("a mount spec of one word gets the rest by default", () => {
  const spec = withMountOption(parseMountSpec("UUID=1", "/boot"), "ro");
  expect(formatFstabLine(spec)).toBe("UUID=1 /boot auto ro 0 0");
  expect(formatFstabLine(withMountOption(parseMountSpec("L /boot xfs ro,x", "/boot"), "ro"))).toBe(
    "L /boot xfs x,ro 0 0",
  );
});

test.each(["", "  ", "a /boot b c d", "a /home"])("refuses the mount spec `%s`", (text) => {
  expect(() => parseMountSpec(text, "/boot")).toThrow("mount");
});

test("an image's own fstab stays, except for /boot", () => {
  const fstab = "# mine\nUUID=9 /data xfs defaults 0 0\nUUID=8 /boot ext4 defaults 0 0\n";
  const spec = withMountOption(parseMountSpec("UUID=1", "/boot"), "ro");
  expect(withFstabMount(fstab, spec)).toBe(
    "# mine\nUUID=9 /data xfs defaults 0 0\nUUID=1 /boot auto ro 0 0\n",
  );
  expect(withFstabMount("", spec)).toBe("UUID=1 /boot auto ro 0 0\n");
  expect(findFstabMount(fstab, "/boot")?.source).toBe("UUID=8");
  expect(findFstabMount("#UUID=8 /boot ext4\n", "/boot")).toBeUndefined();
});
