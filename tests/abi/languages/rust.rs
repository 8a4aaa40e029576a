//! rust - a plugin in Rust, without crates: its own declarations of what it uses of kanal/plugin.h, minor 0. Built by
//! `rustc --crate-type cdylib -C panic=abort`: a panic never unwinds into the host.
#![allow(non_camel_case_types)]
use std::ffi::c_void;
use std::os::raw::c_char;
use std::{ptr, slice};

type kanal_op = u64;
type kanal_status = i32;

#[repr(C)]
#[derive(Clone, Copy)]
struct kanal_str {
    ptr: *const u8,
    len: usize,
}

impl kanal_str {
    const ABSENT: kanal_str = kanal_str { ptr: ptr::null(), len: 0 };

    fn of(bytes: &[u8]) -> kanal_str {
        kanal_str { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// Borrowed by the host until the call returns; so is this.
    unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.len == 0 { &[] } else { slice::from_raw_parts(self.ptr, self.len) }
    }
}

#[repr(C)]
struct kanal_field {
    name: kanal_str,
    value: kanal_str,
}

#[repr(C)]
struct kanal_event {
    struct_size: u32,
    flags: u32,
    time_ms: i64,
    event_type: kanal_str,
    dedupe: kanal_str,
    external_id: kanal_str,
    command_id: kanal_str,
    address: kanal_str,
    chat: kanal_str,
    data: kanal_str,
    raw: kanal_str,
}

#[repr(C)]
struct kanal_delivery {
    struct_size: u32,
    part: u32,
    part_count: u32,
    attempt: u32,
    deadline_ms: i64,
    verb: kanal_str,
    command_id: kanal_str,
    idempotency_key: kanal_str,
    address: kanal_str,
    chat: kanal_str,
    target_external_id: kanal_str,
    data: kanal_str,
}

#[repr(C)]
struct kanal_result {
    struct_size: u32,
    outcome: i32,
    scope: i32,
    retry_after_ms: u32,
    external_id: kanal_str,
    code: kanal_str,
    provider_code: kanal_str,
    reason: kanal_str,
}

#[repr(C)]
struct kanal_http_request {
    struct_size: u32,
    timeout_ms: u32,
    max_response: u32,
    flags: u32,
    method: kanal_str,
    url: kanal_str,
    path: kanal_str,
    query: kanal_str,
    remote: kanal_str,
    body: kanal_str,
    headers: *const kanal_field,
    header_count: usize,
    secrets: *const c_void,
    secret_count: usize,
    parts: *const c_void,
    part_count: usize,
}

#[repr(C)]
struct kanal_http_response {
    struct_size: u32,
    code: i32,
    body: kanal_str,
    headers: *const kanal_field,
    header_count: usize,
}

/// The slots in their order; what is not used here is only a place.
#[repr(C)]
struct kanal_host {
    struct_size: u32,
    abi_minor: u32,
    host_impl: *mut c_void,
    log: *const c_void,
    wake: *const c_void,
    now_ms: *const c_void,
    random: *const c_void,
    metric_add: *const c_void,
    health: *const c_void,
    cancel: *const c_void,
    timer: *const c_void,
    verify: *const c_void,
    sign: *const c_void,
    state_get: *const c_void,
    state_put: *const c_void,
    http_send: *const c_void,
    publish: unsafe extern "C" fn(*const kanal_host, kanal_op, *const *const kanal_event, usize, *const c_void, *mut c_void) -> kanal_op,
    finish: unsafe extern "C" fn(*const kanal_host, kanal_op, kanal_status, kanal_str),
    delivered: unsafe extern "C" fn(*const kanal_host, kanal_op, *const kanal_result),
    respond: unsafe extern "C" fn(*const kanal_host, kanal_op, *const kanal_http_response),
    locate: *const c_void,
    extension: *const c_void,
}

#[repr(C)]
struct kanal_route {
    method: *const c_char,
    path: *const c_char,
    algorithm: *const c_char,
    name: *const c_char,
    prefix: *const c_char,
    encoding: *const c_char,
    secret: *const c_char,
    place: u32,
    max_body: u32,
}

#[repr(C)]
pub struct kanal_plugin {
    struct_size: u32,
    abi_minor: u32,
    id: *const c_char,
    name: *const c_char,
    version: *const c_char,
    caps: u64,
    limits: *const c_void,
    egress: *const *const c_char,
    routes: *const kanal_route,
    route_count: usize,
    secrets: *const c_void,
    secret_count: usize,
    settings_schema: *const c_char,
    create: unsafe extern "C" fn(*const kanal_host, *const c_void) -> *mut Channel,
    start: unsafe extern "C" fn(*mut Channel, kanal_op),
    provision: *const c_void,
    on_http: unsafe extern "C" fn(*mut Channel, kanal_op, *const kanal_http_request),
    deliver: unsafe extern "C" fn(*mut Channel, kanal_op, *const kanal_delivery),
    media: *const c_void,
    on_wake: *const c_void,
    stop: unsafe extern "C" fn(*mut Channel, kanal_op),
    destroy: unsafe extern "C" fn(*mut Channel),
    extension: *const c_void,
}

const KANAL_OK: kanal_status = 0;
const KANAL_CAP_TEXT: u64 = 1;
const KANAL_SENT: i32 = 1;
const KANAL_FAILED: i32 = 3;

struct Channel {
    host: *const kanal_host,
    last: Vec<u8>,
}

fn is_plain(text: &[u8], max: usize) -> bool {
    !text.is_empty() && text.len() <= max && text.iter().all(|c| c.is_ascii_alphanumeric() || b"-_. !".contains(c))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

impl Channel {
    unsafe fn respond(&self, op: kanal_op, code: i32, body: &[u8]) {
        let response = kanal_http_response {
            struct_size: std::mem::size_of::<kanal_http_response>() as u32,
            code,
            body: kanal_str::of(body),
            headers: ptr::null(),
            header_count: 0,
        };
        ((*self.host).respond)(self.host, op, &response)
    }

    unsafe fn publish(&self, cause: kanal_op, from: &[u8], id: &[u8], text: &[u8]) {
        let data = [b"{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"" as &[u8], text, b"\"}]}}"].concat();
        let address = [b"rust:" as &[u8], from].concat();
        let event = kanal_event {
            struct_size: std::mem::size_of::<kanal_event>() as u32,
            flags: 0,
            time_ms: 0,
            event_type: kanal_str::of(b"message.received"),
            dedupe: kanal_str::of(id),
            external_id: kanal_str::of(id),
            command_id: kanal_str::ABSENT,
            address: kanal_str::of(&address),
            chat: kanal_str::ABSENT,
            data: kanal_str::of(&data),
            raw: kanal_str::ABSENT,
        };
        let events: [*const kanal_event; 1] = [&event];
        ((*self.host).publish)(self.host, cause, events.as_ptr(), 1, ptr::null(), ptr::null_mut());
    }
}

unsafe extern "C" fn create(host: *const kanal_host, _config: *const c_void) -> *mut Channel {
    Box::into_raw(Box::new(Channel { host, last: Vec::new() }))
}

unsafe extern "C" fn start_or_stop(channel: *mut Channel, op: kanal_op) {
    let host = (*channel).host;
    ((*host).finish)(host, op, KANAL_OK, kanal_str::ABSENT)
}

unsafe extern "C" fn on_http(channel: *mut Channel, op: kanal_op, request: *const kanal_http_request) {
    let (channel, request) = (&*channel, &*request);
    let (mut from, mut id): (&[u8], &[u8]) = (&[], &[]);
    for i in 0..request.header_count {
        let field = &*request.headers.add(i);
        match field.name.bytes() {
            b"x-from" => from = field.value.bytes(),
            b"x-id" => id = field.value.bytes(),
            _ => {}
        }
    }
    let text = request.body.bytes();
    if request.path.bytes() == b"/last" {
        channel.respond(op, 200, &channel.last)
    } else if !is_plain(from, 64) || from.contains(&b' ') || !is_plain(id, 64) || !is_plain(text, 1024) {
        channel.respond(op, 400, b"expected x-from, x-id and a plain text")
    } else {
        channel.publish(op, from, id, text);
        channel.respond(op, 200, b"ok")
    }
}

unsafe extern "C" fn deliver(channel: *mut Channel, op: kanal_op, delivery: *const kanal_delivery) {
    let (channel, delivery) = (&mut *channel, &*delivery);
    let data = delivery.data.bytes();
    let mark = b"\"text\":\"";
    let text = find(data, mark).map(|at| &data[at + mark.len()..]).unwrap_or(&[]);
    let text = &text[..text.iter().position(|c| *c == b'"').unwrap_or(0)];
    let code: &[u8] = if delivery.verb.bytes() != b"message.send" {
        b"unsupported_verb"
    } else if !delivery.address.bytes().starts_with(b"rust:") {
        b"recipient_unknown"
    } else if text.is_empty() {
        b"unsupported_content"
    } else {
        channel.last = text.to_vec();
        b""
    };
    let result = kanal_result {
        struct_size: std::mem::size_of::<kanal_result>() as u32,
        outcome: if code.is_empty() { KANAL_SENT } else { KANAL_FAILED },
        scope: 0,
        retry_after_ms: 0,
        external_id: if code.is_empty() { delivery.idempotency_key } else { kanal_str::ABSENT },
        code: kanal_str::of(code),
        provider_code: kanal_str::ABSENT,
        reason: kanal_str::ABSENT,
    };
    ((*channel.host).delivered)(channel.host, op, &result)
}

unsafe extern "C" fn destroy(channel: *mut Channel) {
    drop(Box::from_raw(channel))
}

/// Pointers to constants only.
struct Static<T>(T);
unsafe impl<T> Sync for Static<T> {}

static ROUTES: Static<[kanal_route; 2]> = Static([
    route("POST\0", "/\0", 4096),
    route("GET\0", "/last\0", 0),
]);

const fn route(method: &'static str, path: &'static str, max_body: u32) -> kanal_route {
    kanal_route {
        method: method.as_ptr() as *const c_char,
        path: path.as_ptr() as *const c_char,
        algorithm: ptr::null(),
        name: ptr::null(),
        prefix: ptr::null(),
        encoding: ptr::null(),
        secret: ptr::null(),
        place: 0,
        max_body,
    }
}

static PLUGIN: Static<kanal_plugin> = Static(kanal_plugin {
    struct_size: std::mem::size_of::<kanal_plugin>() as u32,
    abi_minor: 0,
    id: "rust\0".as_ptr() as *const c_char,
    name: "Rust\0".as_ptr() as *const c_char,
    version: "1.0.0\0".as_ptr() as *const c_char,
    caps: KANAL_CAP_TEXT,
    limits: ptr::null(),
    egress: ptr::null(),
    routes: &ROUTES.0 as *const [kanal_route; 2] as *const kanal_route,
    route_count: 2,
    secrets: ptr::null(),
    secret_count: 0,
    settings_schema: "{\"type\":\"object\",\"additionalProperties\":false}\0".as_ptr() as *const c_char,
    create,
    start: start_or_stop,
    provision: ptr::null(),
    on_http,
    deliver,
    media: ptr::null(),
    on_wake: ptr::null(),
    stop: start_or_stop,
    destroy,
    extension: ptr::null(),
});

#[no_mangle]
pub extern "C" fn kanal_plugin_v1() -> *const kanal_plugin {
    &PLUGIN.0
}
