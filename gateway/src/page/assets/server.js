// Requests to the gateway.
export const session = { role: null, name: null, csrf: null };

/// What a refused request says: `word` is the end of a key of the texts.
export class Refused extends Error {
  constructor(status, word) {
    super(word);
    this.status = status;
    this.word = word;
  }
}

export async function get(path) {
  return answer(await reach(() => fetch(path)));
}

export async function post(path, body) {
  const headers = { "content-type": "application/json", "x-nominal-csrf": session.csrf ?? "" };
  return answer(await reach(() => fetch(path, { method: "POST", headers, body: JSON.stringify(body) })));
}

async function reach(request) {
  try {
    return await request();
  } catch {
    throw new Refused(0, "unreachable");
  }
}

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  if (response.status === 401 && session.role) {
    session.role = null;
    document.dispatchEvent(new Event("logged-out"));
  }
  throw new Refused(response.status, body.error ?? "internal");
}
