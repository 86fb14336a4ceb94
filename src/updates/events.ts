// Everything that automatic updates tell people about: the names of events, and how the journal has them.

interface EventKind {
  /** Documented for users, and never changed. */
  readonly messageId: string;
  /** A level of syslog(3): 4 is a warning, 5 worth reading, 6 informational. */
  readonly priority: 4 | 5 | 6;
  readonly sentence: string;
}

export const EVENTS = {
  found: kind("7f41235cd1434348ad70394b0bef2012", 5, "An update was found"),
  download: kind("9567e07edaae43c9bb0b75da9048e936", 5, "An update was downloaded"),
  finalize: kind("6c5acbc49ed347c688811d2355fffb4d", 5, "The next reboot applies an update"),
  reboot: kind("f5d1aa7e75b649c5bd718281fa056e65", 5, "The machine reboots into an update"),
  booted: kind("944374b4b84f4a2bbd490349e2e58d89", 5, "Another image was booted"),
  steady: kind(
    "95884c52ebfb4722a37caf5b7c172500",
    6,
    "The slot of the FleetLock server was returned",
  ),
  paused: kind("bdb77837e0064dcbb9745539e3308a69", 5, "Automatic updates"),
  resumed: kind("d3528b51c72d4acaaf260f39a959fa76", 5, "Automatic updates"),
  held: kind("f2fd439128f048969adbb6bd7ee97da8", 5, "An image is held"),
  released: kind("11dcd893a31943908f20b46efaad4f89", 5, "An image is no longer held"),
  failed: kind("fa86429f8bab4947b1d50964ab8adeab", 4, "An automatic update failed"),
  damaged: kind(
    "3781999abe274c9794afc152bb570692",
    4,
    "The state of automatic updates was damaged",
  ),
  "went-back": kind(
    "3a631474062a42ad98cf25c705698016",
    4,
    "An update did not prove itself, and the previous system runs again",
  ),
  "both-bad": kind(
    "9bf642962e4a4826800afc27d7702ec7",
    4,
    "An update did not prove itself, nor does the previous system",
  ),
  stuck: kind(
    "058ea951bcbe4c08b1626892673f70a9",
    4,
    "A system is not healthy, and going back from it failed",
  ),
  unhealthy: kind("4592aea5483a4547a47cea1b09f688bc", 4, "This system is not healthy"),
  healthy: kind("53788110045e48249b15136d9f0e1813", 5, "This system is healthy again"),
} as const satisfies Readonly<Record<string, EventKind>>;

export type EventName = keyof typeof EVENTS;

function kind(messageId: string, priority: EventKind["priority"], sentence: string): EventKind {
  return { messageId, priority, sentence };
}

/** What the journal says: `An update was found: 42 sha256:…`. */
export function formatEvent(event: EventName, text: string): string {
  return text === "" ? EVENTS[event].sentence : `${EVENTS[event].sentence}: ${text}`;
}

export function isEventName(name: string): name is EventName {
  return Object.hasOwn(EVENTS, name);
}
