//! DescribeCluster: the brokers, and which of them is the controller.

use kafka_wire::{
    ErrorCode,
    messages::describe_cluster::{
        BROKERS, CONTROLLERS, DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
    },
};

use super::{authorized_operations, metadata};
use crate::broker::Shared;

/// `listener`: the one that the client came through, and is told the addresses of.
pub fn handle(shared: &Shared, listener: &str, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    if request.endpoint_type != BROKERS {
        let (error_code, told) = match request.endpoint_type {
            CONTROLLERS => (
                ErrorCode::MismatchedEndpointType,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                    .to_owned(),
            ),
            unknown => {
                (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {unknown}"))
            }
        };
        return DescribeClusterResponse { error_code, error_message: Some(told), ..Default::default() };
    }
    let image = shared.image();
    let brokers = metadata::brokers(&image, listener).into_iter().map(|broker| DescribeClusterBroker {
        broker_id: broker.node_id,
        host: broker.host,
        port: broker.port,
        rack: broker.rack,
        // A broker that answers is not fenced, and there is no other.
        is_fenced: false,
    });
    DescribeClusterResponse {
        cluster_id: shared.cluster_id.clone(),
        controller_id: image.controller().map_or(-1, |broker| broker.0),
        brokers: brokers.collect(),
        cluster_authorized_operations: authorized_operations::if_asked(
            request.include_cluster_authorized_operations,
            authorized_operations::CLUSTER,
        ),
        ..Default::default()
    }
}
