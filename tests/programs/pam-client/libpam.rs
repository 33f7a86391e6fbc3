//! libpam, application side.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

const SUCCESS: c_int = 0;
const SYSTEM_ERR: c_int = 4;
const BUF_ERR: c_int = 5;
const CONV_ERR: c_int = 19;
const CONV_AGAIN: c_int = 30;
const PROMPT_ECHO_OFF: c_int = 1;
const ITEM_USER: c_int = 2;
const ITEM_REMOTE_HOST: c_int = 4;

#[repr(C)]
struct PamHandle {
    _opaque: [u8; 0],
}

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    unused: c_int,
}

type Converse =
    unsafe extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int;

#[repr(C)]
struct Conv {
    function: Option<Converse>,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conv,
        handle: *mut *mut PamHandle,
    ) -> c_int;
    fn pam_end(handle: *mut PamHandle, status: c_int) -> c_int;
    fn pam_authenticate(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_set_item(handle: *mut PamHandle, item: c_int, value: *const c_void) -> c_int;
}

/// How the conversation behaves.
#[derive(Clone)]
pub(crate) enum Conversation {
    /// Answers prompts with the token and takes messages.
    Answers,
    /// There is none: a null function pointer.
    Absent,
    /// Returns a code and no response.
    Fails(c_int),
    /// Claims success without a response.
    NullResponse,
}

impl Conversation {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "answers" => Self::Answers,
            "absent" => Self::Absent,
            "again" => Self::Fails(CONV_AGAIN),
            "fails" => Self::Fails(CONV_ERR),
            "null" => Self::NullResponse,
            other => panic!("unknown conversation {other}"),
        }
    }
}

/// What the conversation heard.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) asked: u32,
    pub(crate) messages: Vec<(c_int, Vec<u8>)>,
}

struct Data {
    conversation: Conversation,
    token: CString,
    told: Told,
}

/// A transaction. Owns the data of its conversation, at an address that does not change.
pub(crate) struct Handle {
    raw: *mut PamHandle,
    data: *mut Data,
    last: c_int,
}

impl Handle {
    pub(crate) fn start(
        service: &CStr,
        user: &CStr,
        conversation: Conversation,
        token: &[u8],
    ) -> Self {
        let absent = matches!(conversation, Conversation::Absent);
        let token = CString::new(token).expect("a C string holds no NUL");
        let data = Box::into_raw(Box::new(Data { conversation, token, told: Told::default() }));
        let conv = Conv { function: (!absent).then_some(converse as Converse), data: data.cast() };
        let mut raw = ptr::null_mut();
        // SAFETY: C strings and a conversation that libpam copies; `data` lives until `end`.
        let code =
            unsafe { pam_start(service.as_ptr(), user.as_ptr(), &raw const conv, &raw mut raw) };
        assert_eq!(code, SUCCESS, "pam_start");
        Self { raw, data, last: SUCCESS }
    }

    pub(crate) fn set_remote_host(&mut self, host: &CStr) {
        self.set_item(ITEM_REMOTE_HOST, host);
    }

    fn set_item(&mut self, item: c_int, value: &CStr) -> c_int {
        // SAFETY: the handle is open; libpam copies the string.
        unsafe { pam_set_item(self.raw, item, value.as_ptr().cast()) }
    }

    pub(crate) fn step(&mut self, name: &str, flags: c_int) -> c_int {
        if let Some(user) = name.strip_prefix("user=") {
            return self.set_item(ITEM_USER, &CString::new(user).expect("no NUL"));
        }
        let function = match name {
            "account" => pam_acct_mgmt,
            "authenticate" => pam_authenticate,
            "chauthtok" => pam_chauthtok,
            "close" => pam_close_session,
            "open" => pam_open_session,
            "setcred" => pam_setcred,
            other => panic!("unknown step {other}"),
        };
        // SAFETY: the handle is open, and all of these take a handle and flags.
        self.last = unsafe { function(self.raw, flags) };
        self.last
    }

    /// Ends the transaction, as PostgreSQL does after a success.
    pub(crate) fn end(self) -> Told {
        // SAFETY: the handle is open and not used again.
        let code = unsafe { pam_end(self.raw, self.last) };
        assert_eq!(code, SUCCESS, "pam_end");
        // SAFETY: `start` made it from a box, and libpam has forgotten it.
        let data = unsafe { Box::from_raw(self.data) };
        data.told
    }
}

/// The conversation function; pam_conv(3).
///
/// # Safety
///
/// For libpam alone: `messages` is an array of `count` pointers, `data` that of `start`.
unsafe extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    // SAFETY: libpam passes back the pointer of `start`.
    let data = unsafe { &mut *data.cast::<Data>() };
    match data.conversation {
        Conversation::Answers => {}
        Conversation::Absent => return SYSTEM_ERR,
        Conversation::Fails(code) => return code,
        Conversation::NullResponse => return SUCCESS,
    }
    let count = usize::try_from(count).expect("a count");
    // SAFETY: Linux-PAM passes an array of `count` pointers to messages.
    let messages = unsafe { std::slice::from_raw_parts(messages, count) };
    // SAFETY: calloc(3) has no preconditions; the caller frees the array.
    let array: *mut Response = unsafe { libc::calloc(count, size_of::<Response>()) }.cast();
    if array.is_null() {
        return BUF_ERR;
    }
    for (index, message) in messages.iter().enumerate() {
        // SAFETY: each pointer of the array is a message with a C string.
        let Message { style, text } = unsafe { ptr::read(*message) };
        if style == PROMPT_ECHO_OFF {
            data.told.asked += 1;
            // SAFETY: a C string in; the caller frees the copy.
            let answer = unsafe { libc::strdup(data.token.as_ptr()) };
            // SAFETY: the index is below `count`.
            let slot = unsafe { array.add(index) };
            // SAFETY: calloc made an array of valid, all-zero responses.
            unsafe { (*slot).text = answer };
        } else {
            // SAFETY: the text of a message is a C string.
            let text = unsafe { CStr::from_ptr(text) };
            data.told.messages.push((style, text.to_bytes().to_vec()));
        }
    }
    // SAFETY: a place for one pointer.
    unsafe { *responses = array };
    SUCCESS
}
