import { expect, test } from "vitest";
import { parseLabels } from "./ostree-labels.ts";

// Output of ostree 2022.7.
const LISTING = `d00755 0 0      0 { [(b'security.selinux', b'system_u:object_r:root_t:s0')] } /
-00644 0 0      0 { [(b'security.selinux', b'system_u:object_r:boot_t:s0')] } /boot/a b
l00777 0 0      0 { [(b'security.selinux', b'system_u:object_r:boot_t:s0:c1,c2')] } /boot/loader -> x
d00755 0 0      0 { @a(ayay) [] } /boot/lost+found
-00644 0 0 123456 { [(b'security.selinux', b'a:b:c:s0'), (b'user.x', b'1')] } /etc/fstab
`;

test("labels are found by path; a path without a label is missing", () => {
  expect([...parseLabels(LISTING)]).toEqual([
    ["", "system_u:object_r:root_t:s0"],
    ["boot/a b", "system_u:object_r:boot_t:s0"],
    ["boot/loader", "system_u:object_r:boot_t:s0:c1,c2"],
    ["etc/fstab", "a:b:c:s0"],
  ]);
});
