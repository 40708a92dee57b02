//! The protocol's state, without input and output.

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event};
use mqtt_protocol_core::mqtt::packet::v3_1_1::{Connect, Disconnect, Pingreq, Puback, Publish, Subscribe};
use mqtt_protocol_core::mqtt::packet::{Packet, Qos, SubEntry, SubOpts};
use mqtt_protocol_core::mqtt::prelude::GenericPacketTrait;
use mqtt_protocol_core::mqtt::result_code::{ConnectReturnCode, MqttError};
use mqtt_protocol_core::mqtt::{Connection, Version, role};

/// A longer packet from the broker is refused: it sends confirmations, and commands of a few dozen bytes.
pub const MAX_PACKET: u32 = 16 << 10;

/// What the client tells the broker about itself.
#[derive(Debug, Clone)]
pub struct Login {
    /// The client's name.
    pub client_id: String,
    /// The user's name.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// Seconds without traffic after which a side may take the other for gone.
    pub keep_alive_s: u16,
    /// The topic of the last will.
    pub state_topic: String,
    /// A longer packet from the broker is refused, in bytes.
    pub max_packet: u32,
}

/// Why a session can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The broker refuses the login.
    #[error("it refuses the login: {0}")]
    Refused(&'static str),
    /// The broker refuses a subscription.
    #[error("it refuses a subscription; allow it there, or set mqtt.commands and mqtt.until_stored to false")]
    NoSubscription,
    /// The broker breaks the protocol's rules.
    #[error("it breaks the rules of MQTT 3.1.1 ({0}); check that it is an MQTT broker")]
    Broken(String),
    /// A message can't be encoded.
    #[error("a message can't be encoded ({0}); report this")]
    Encode(String),
}

impl From<MqttError> for ProtocolError {
    fn from(error: MqttError) -> Self {
        Self::Encode(format!("{error:?}"))
    }
}

/// Something that the broker did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It accepted the login.
    Accepted,
    /// It confirmed a packet.
    Confirmed(u16),
    /// It passed on a message that was published just now.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
    },
}

/// The protocol's state for one connection.
pub struct Protocol {
    connection: Connection<role::Client>,
    /// Bytes to be sent.
    out: Vec<u8>,
}

impl Protocol {
    /// Starts a connection: [`Self::take_out`] holds the login, with the last will if `will` is set.
    ///
    /// # Errors
    /// [`ProtocolError::Encode`]
    pub fn start(login: &Login, will: bool) -> Result<Self, ProtocolError> {
        let options = ConnectionOptions::new().maximum_packet_size_recv(login.max_packet);
        let mut connection = Connection::with_options(Version::V3_1_1, options);
        let mut connect = Connect::builder()
            .client_id(login.client_id.as_str())?
            .clean_session(true)
            .keep_alive(login.keep_alive_s);
        if will {
            connect = connect.will_message(login.state_topic.as_str(), "offline", Qos::AtLeastOnce, true)?;
        }
        if let Some(user) = &login.user {
            connect = connect.user_name(user.as_str())?;
        }
        if let Some(password) = &login.password {
            connect = connect.password(password.as_str())?;
        }
        let events = connection.checked_send(connect.build()?);
        let mut protocol = Self { connection, out: vec![] };
        protocol.handle(events, &mut vec![])?;
        Ok(protocol)
    }

    /// Publishes a message that the broker must confirm, and returns its packet number.
    ///
    /// # Errors
    /// [`ProtocolError::Encode`]
    pub fn publish(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<u16, ProtocolError> {
        let packet = self.connection.acquire_packet_id()?;
        let publish = Publish::builder()
            .topic_name(topic)?
            .qos(Qos::AtLeastOnce)
            .retain(retain)
            .packet_id(packet)
            .payload(payload)
            .build()?;
        let events = self.connection.checked_send(publish);
        self.handle(events, &mut vec![])?;
        Ok(packet)
    }

    /// Subscribes to a topic.
    ///
    /// # Errors
    /// [`ProtocolError::Encode`]
    pub fn subscribe(&mut self, topic: &str) -> Result<(), ProtocolError> {
        let packet = self.connection.acquire_packet_id()?;
        let entry = SubEntry::new(topic, SubOpts::new().set_qos(Qos::AtLeastOnce))?;
        let subscribe = Subscribe::builder().packet_id(packet).entries(vec![entry]).build()?;
        let events = self.connection.checked_send(subscribe);
        self.handle(events, &mut vec![])
    }

    /// Asks the broker whether it is there.
    ///
    /// # Errors
    /// [`ProtocolError::Encode`]
    pub fn ping(&mut self) -> Result<(), ProtocolError> {
        let events = self.connection.checked_send(Pingreq::builder().build()?);
        self.handle(events, &mut vec![])
    }

    /// Takes leave: the broker doesn't publish the last will.
    ///
    /// # Errors
    /// [`ProtocolError::Encode`]
    pub fn disconnect(&mut self) -> Result<(), ProtocolError> {
        let events = self.connection.checked_send(Disconnect::builder().build()?);
        self.handle(events, &mut vec![])
    }

    /// Takes bytes from the broker and appends what they say to `happened`.
    ///
    /// # Errors
    /// [`ProtocolError`]; the connection must then be closed.
    pub fn receive(&mut self, bytes: &[u8], happened: &mut Vec<Happened>) -> Result<(), ProtocolError> {
        let mut cursor = Cursor::new(bytes);
        while cursor.position() < bytes.len() as u64 {
            let events = self.connection.recv(&mut cursor);
            self.handle(events, happened)?;
        }
        Ok(())
    }

    /// Takes the bytes to be sent.
    pub fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Confirms a message from the broker. The library would do it too, but fails on a packet number that isn't allowed.
    fn confirm(&mut self, packet: &Packet) -> Result<(), ProtocolError> {
        let Packet::V3_1_1Publish(publish) = packet else { return Ok(()) };
        match (publish.qos(), publish.packet_id()) {
            (Qos::AtMostOnce, _) => Ok(()),
            (Qos::AtLeastOnce, Some(number @ 1..)) => {
                let puback = Puback::builder().packet_id(number).build()?;
                let events = self.connection.checked_send(puback);
                self.handle(events, &mut vec![])
            }
            _ => Err(ProtocolError::Broken("a message that was not asked for".to_owned())),
        }
    }

    fn handle(&mut self, events: Vec<Event>, happened: &mut Vec<Happened>) -> Result<(), ProtocolError> {
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => self.out.extend(packet.to_continuous_buffer()),
                Event::NotifyPacketReceived(packet) => {
                    self.confirm(&packet)?;
                    happened.extend(received(packet)?);
                }
                Event::NotifyError(e) => return Err(ProtocolError::Broken(format!("{e:?}"))),
                Event::RequestClose => {
                    return Err(ProtocolError::Broken("the connection must be closed".to_owned()));
                }
                // The session has its own timers, which also cover a broker that doesn't read.
                Event::RequestTimerReset { .. }
                | Event::RequestTimerCancel(_)
                | Event::NotifyPacketIdReleased(_) => {}
            }
        }
        Ok(())
    }
}

fn received(packet: Packet) -> Result<Option<Happened>, ProtocolError> {
    Ok(Some(match packet {
        Packet::V3_1_1Connack(connack) => match refusal(connack.return_code()) {
            None => Happened::Accepted,
            Some(why) => return Err(ProtocolError::Refused(why)),
        },
        Packet::V3_1_1Puback(puback) => Happened::Confirmed(puback.packet_id()),
        Packet::V3_1_1Suback(suback) => {
            if suback.return_codes().iter().any(|code| code.is_failure()) {
                return Err(ProtocolError::NoSubscription);
            }
            return Ok(None);
        }
        // A retained command was meant for another time.
        Packet::V3_1_1Publish(publish) if !publish.retain() => Happened::Message {
            topic: publish.topic_name().to_owned(),
            payload: publish.payload().as_slice().to_vec(),
        },
        _ => return Ok(None),
    }))
}

const fn refusal(code: ConnectReturnCode) -> Option<&'static str> {
    match code {
        ConnectReturnCode::Accepted => None,
        ConnectReturnCode::UnacceptableProtocolVersion => {
            Some("it doesn't speak MQTT 3.1.1; use another broker, or another listener of it")
        }
        ConnectReturnCode::IdentifierRejected => Some("it doesn't accept the name; change mqtt.client_id"),
        ConnectReturnCode::ServerUnavailable => Some("it is not available at the moment"),
        ConnectReturnCode::BadUserNameOrPassword => {
            Some("the password is wrong; correct mqtt.user or mqtt.password_file")
        }
        ConnectReturnCode::NotAuthorized => {
            Some("the user may not connect; correct mqtt.user or mqtt.password_file, or allow it there")
        }
    }
}
