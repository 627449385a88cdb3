//! Turns the table of APIs into `ApiKey`, `Request`, `Response` and the `Call` pairs.

macro_rules! apis {
    ($(
        $key:literal $name:ident $first:literal - $last:literal $flexible:literal +
        $request:ident, $response:ident;
    )*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $($name = $key,)*
        }

        impl ApiKey {
            pub const ALL: &[ApiKey] = &[$(ApiKey::$name),*];

            pub fn from_code(code: i16) -> Option<ApiKey> {
                match code {
                    $($key => Some(ApiKey::$name),)*
                    _ => None,
                }
            }

            /// The versions this crate reads and writes.
            pub fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(ApiKey::$name => $first..=$last,)*
                }
            }

            pub fn flexible_from(self) -> i16 {
                match self {
                    $(ApiKey::$name => $flexible,)*
                }
            }
        }

        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Request {
            $($name($request),)*
        }

        impl Request {
            pub fn api(&self) -> ApiKey {
                match self {
                    $(Request::$name(_) => ApiKey::$name,)*
                }
            }

            pub(crate) fn read(api: ApiKey, reader: &mut Reader) -> Result<Request, DecodeError> {
                match api {
                    $(ApiKey::$name => $request::read(reader).map(Request::$name),)*
                }
            }

            pub(crate) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                match self {
                    $(Request::$name(request) => request.write(writer),)*
                }
            }
        }

        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Response {
            $($name($response),)*
        }

        impl Response {
            pub fn api(&self) -> ApiKey {
                match self {
                    $(Response::$name(_) => ApiKey::$name,)*
                }
            }

            /// Every error in the answer: that of the whole, and those of its topics, partitions, groups.
            pub fn each_error(&self, mut found: impl FnMut(ErrorCode)) {
                match self {
                    $(Response::$name(response) => response.each_error(&mut found),)*
                }
            }

            pub(crate) fn read(api: ApiKey, reader: &mut Reader) -> Result<Response, DecodeError> {
                match api {
                    $(ApiKey::$name => $response::read(reader).map(Response::$name),)*
                }
            }

            pub(crate) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                match self {
                    $(Response::$name(response) => response.write(writer),)*
                }
            }
        }

        $(
            impl From<$request> for Request {
                fn from(request: $request) -> Request {
                    Request::$name(request)
                }
            }

            impl From<$response> for Response {
                fn from(response: $response) -> Response {
                    Response::$name(response)
                }
            }

            impl TryFrom<Response> for $response {
                type Error = DecodeError;

                fn try_from(response: Response) -> Result<$response, DecodeError> {
                    match response {
                        Response::$name(response) => Ok(response),
                        _ => Err(DecodeError { field: stringify!($response), problem: Problem::OtherApi }),
                    }
                }
            }

            impl Call for $request {
                const API: ApiKey = ApiKey::$name;
                type Response = $response;
            }
        )*

        #[cfg(any(test, feature = "samples"))]
        pub(crate) fn sample_request(api: ApiKey, source: &mut crate::sample::Source) -> Request {
            use crate::sample::Sample;
            match api {
                $(ApiKey::$name => Request::$name(<$request>::sample(source, false)),)*
            }
        }

        #[cfg(any(test, feature = "samples"))]
        pub(crate) fn sample_response(api: ApiKey, source: &mut crate::sample::Source) -> Response {
            use crate::sample::Sample;
            match api {
                $(ApiKey::$name => Response::$name(<$response>::sample(source, false)),)*
            }
        }
    };
}

pub(super) use apis;
